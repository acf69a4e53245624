"""LAMB: Adam's direction, with a step for each tensor as long as its weights ask."""

from typing import Any

import torch
from torch.optim.optimizer import ParamsT

from ..cards.card import method
from .foreach import AbstractForeach, Tensors, at_least_zero, below_one, bites, off_one


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
        capturable: bool = False,
    ):
        at_least_zero(lr=lr, eps=eps, weight_decay=weight_decay, bound=bound or 0)
        below_one(beta1=betas[0], beta2=betas[1])
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "bound": bound}
        super().__init__(params, {**options, "capturable": capturable})

    def move(self, weights: Tensors, grads: Tensors, group: dict[str, Any]) -> None:
        """One step of weights of one device and type."""
        (beta1, beta2), eps = group["betas"], group["eps"]
        counts = self.counted(weights, group)
        means, squares = self.kept("mean", weights), self.kept("square", weights)
        updates = [torch.empty_like(weight) for weight in weights]
        starts = off_one(beta1, counts)
        scales = [start / gap**0.5 for start, gap in zip(starts, off_one(beta2, counts), strict=True)]
        shifts = [eps * start for start in starts]
        # m̂ / (√v̂ + ε) = m / (√v c₁/√c₂ + ε c₁), where c are the corrections
        for w, g, m, v, u, scale, shift in bites(weights, grads, means, squares, updates, scales, shifts):
            torch._foreach_lerp_(m, g, 1 - beta1)
            torch._foreach_mul_(v, beta2)
            torch._foreach_addcmul_(v, g, g, 1 - beta2)
            roots = torch._foreach_sqrt(v)
            torch._foreach_mul_(roots, scale)
            torch._foreach_add_(roots, shift)
            torch._foreach_copy_(u, m)
            torch._foreach_div_(u, roots)
            torch._foreach_add_(u, w, alpha=group["weight_decay"])
        ratios = trust_ratios(weights, updates, group["bound"])
        for w, u, ratio in bites(weights, updates, ratios):
            torch._foreach_addcmul_(w, u, ratio, value=-group["lr"])


def trust_ratios(weights: Tensors, updates: Tensors, bound: float | None) -> Tensors:
    """|w| / |u| of each tensor, |w| at most the bound; one where either norm is zero."""
    long = torch.stack(torch._foreach_norm(weights))
    wide = torch.stack(torch._foreach_norm(updates))
    ratios = long.clamp_max(bound) / wide if bound is not None else long / wide
    return list(torch.where((long > 0) & (wide > 0), ratios, 1.0).unbind())
