"""LAMB: Adam's direction, with a step for each tensor as long as its weights ask."""

from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ..cards.card import method
from .foreach import AbstractForeach, Tensors, at_least_zero, below_one


@method("lamb", year=2019, paper="arXiv:1904.00962", topics=("large-batch",), recipe={"lr": 0.01})
class LAMB(AbstractForeach):
    r"""LAMB: layer-wise Adam, $w \leftarrow w - \gamma \phi(\|w\|) u / \|u\|$ with $u = r + \lambda w$.

    $r = \hat{m} / (\sqrt{\hat{v}} + \epsilon)$ is Adam's direction, both moments corrected for their start,
    and the norms are those of one tensor, so that each moves by the share $\gamma$ of its own length. The
    ratio is 1 where either norm is 0. $\phi(z) = z$, or $\min(z, b)$ with `bound` $b$.
    Weight decay is part of the direction that is measured; without the ratio this is AdamW.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.01,
        bound: float | None = None,
    ):
        at_least_zero(lr=lr, eps=eps, weight_decay=weight_decay, bound=bound or 0)
        below_one(beta1=betas[0], beta2=betas[1])
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "bound": bound}
        super().__init__(params, options)

    def move(self, weights: Tensors, grads: Tensors, group: dict[str, Any]) -> None:
        """One step of weights of one device and type."""
        beta1, beta2 = group["betas"]
        states = [self._state(weight) for weight in weights]
        counts, means, squares = ([state[key] for state in states] for key in ("step", "mean", "square"))
        torch._foreach_add_(counts, 1)
        torch._foreach_lerp_(means, grads, 1 - beta1)
        torch._foreach_mul_(squares, beta2)
        torch._foreach_addcmul_(squares, grads, grads, 1 - beta2)
        done = [count.item() for count in counts]  # they lie on the CPU: no device is waited for
        roots = torch._foreach_div(squares, [1 - beta2**t for t in done])
        torch._foreach_sqrt_(roots)
        torch._foreach_add_(roots, group["eps"])
        updates = torch._foreach_div(means, [1 - beta1**t for t in done])
        torch._foreach_div_(updates, roots)
        torch._foreach_add_(updates, weights, alpha=group["weight_decay"])
        torch._foreach_mul_(updates, trust_ratios(weights, updates, group["bound"]))
        torch._foreach_add_(weights, updates, alpha=-group["lr"])

    def _state(self, weight: Tensor) -> dict[str, Any]:
        state = self.state[weight]
        if not state:
            state["step"] = torch.zeros(())
            state["mean"], state["square"] = torch.zeros_like(weight), torch.zeros_like(weight)
        return state


def trust_ratios(weights: Tensors, updates: Tensors | tuple[Tensor, ...], bound: float | None) -> Tensors:
    """|w| / |u| of each tensor, |w| at most the bound; one where either norm is zero."""
    long = torch.stack(torch._foreach_norm(weights))
    wide = torch.stack(torch._foreach_norm(updates))
    ratios = long.clamp_max(bound) / wide if bound is not None else long / wide
    return list(torch.where((long > 0) & (wide > 0), ratios, 1.0).unbind())
