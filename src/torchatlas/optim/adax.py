"""AdaX: Adam that remembers old gradients better than new ones."""

from typing import Any

import torch
from torch.optim.optimizer import ParamsT

from ..cards.card import method
from ..engine.errors import UsageError
from .foreach import AbstractForeach, Tensors, at_least_zero, below_one, bites, off_one


@method(
    "adax",
    year=2020,
    paper="arXiv:2004.09740",
    recipe={"lr": 0.003},
    variants={"adaxw": {"decoupled": True, "weight_decay": 0.05, "recipe": {"lr": 0.005}}},
)
class AdaX(AbstractForeach):
    r"""AdaX: exponential long-term memory, $w \leftarrow w - \gamma m / (\sqrt{\hat{v}} + \epsilon)$.

    $m \leftarrow \beta_1 m + (1 - \beta_1) g$, not corrected for its start; $v \leftarrow (1 + \beta_2) v +
    \beta_2 g^2$ grows, and $\hat{v} = v / ((1 + \beta_2)^t - 1)$ is a mean of all squared gradients in which
    the first ones weigh most. Kept is $\hat{v}$, which moves by the share $\beta_2 / ((1 + \beta_2)^t - 1)$
    towards $g^2$: the same, and never too large for its type.
    `weight_decay` is part of the gradient, or apart from it where `decoupled` (AdaX-W).
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1.5e-3,
        betas: tuple[float, float] = (0.9, 1e-4),
        eps: float = 1e-12,
        weight_decay: float = 0.0,
        decoupled: bool = False,
        capturable: bool = False,
    ):
        at_least_zero(lr=lr, eps=eps, weight_decay=weight_decay)
        below_one(beta1=betas[0])
        if not betas[1] > 0:
            raise UsageError(f"beta2 must be above 0, not {betas[1]}")
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, {**options, "decoupled": decoupled, "capturable": capturable})

    def move(self, weights: Tensors, grads: Tensors, group: dict[str, Any]) -> None:
        """One step of weights of one device and type."""
        (beta1, beta2), rate, decay = group["betas"], group["lr"], group["weight_decay"]
        counts = self.counted(weights, group)
        means, squares = self.kept("mean", weights), self.kept("square", weights)
        shares = [beta2 / grown for grown in off_one(1 + beta2, counts, weights[0].dtype)]
        for w, g, m, v, share in bites(weights, grads, means, squares, shares):
            if decay and group["decoupled"]:
                torch._foreach_mul_(w, 1 - rate * decay)
            elif decay:
                g = list(torch._foreach_add(g, w, alpha=decay))
            torch._foreach_lerp_(m, g, 1 - beta1)
            torch._foreach_lerp_(v, torch._foreach_mul(g, g), share)
            roots = torch._foreach_sqrt(v)
            torch._foreach_add_(roots, group["eps"])
            torch._foreach_clamp_min_(roots, torch.finfo(roots[0].dtype).tiny)
            torch._foreach_addcdiv_(w, m, roots, value=-rate)
