"""Lion: steps of one size, in the direction of a momentum's signs."""

from typing import Any

import torch
from torch.optim.optimizer import ParamsT

from ..cards.card import method
from .foreach import AbstractForeach, Tensors, at_least_zero, below_one, bites


@method("lion", year=2023, paper="arXiv:2302.06675", topics=("memory",), recipe={"lr": 0.001})
class Lion(AbstractForeach):
    r"""Lion: the sign of a momentum, $w \leftarrow w - \gamma (\mathrm{sign}(u) + \lambda w)$.

    $u = \beta_1 m + (1 - \beta_1) g$; then $m \leftarrow \beta_2 m + (1 - \beta_2) g$. The newest gradient
    weighs more in what is stepped along than in what is remembered. Without decay each weight moves by
    $\gamma$, or rests where the sign is 0; how large the gradients are does not matter. Rates are three to
    ten times smaller than Adam's, and decay as much larger.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ):
        at_least_zero(lr=lr, weight_decay=weight_decay)
        below_one(beta1=betas[0], beta2=betas[1])
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    def move(self, weights: Tensors, grads: Tensors, group: dict[str, Any]) -> None:
        """One step of weights of one device and type."""
        (beta1, beta2), rate = group["betas"], group["lr"]
        for w, g, m in bites(weights, grads, self.kept("mean", weights)):
            signs = torch._foreach_lerp(m, g, 1 - beta1)
            torch._foreach_sign_(signs)
            if group["weight_decay"]:
                torch._foreach_mul_(w, 1 - rate * group["weight_decay"])
            torch._foreach_add_(w, signs, alpha=-rate)
            torch._foreach_lerp_(m, g, 1 - beta2)
