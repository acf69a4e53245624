"""Funnelled SGDM: momentum whose gains and scale learn from whether gradients agree with those before."""

import math
from typing import Any

import torch
from torch.optim.optimizer import ParamsT

from ..cards.card import method
from ..engine.errors import UsageError
from .foreach import AbstractForeach, Tensors, at_least_zero, below_one, bites


@method("funnelled_sgdm", year=2022, paper="arXiv:2202.00145", recipe={"lr": 0.01})
class FunnelledSGDM(AbstractForeach):
    r"""Funnelled SGDM: momentum with learned gains $p$ and a learned scale $s$, $w \leftarrow w - s u$.

    $u \leftarrow \mu u + \gamma p \odot g$. Each weight's gain and the scale of all are moved by
    exponentiated gradients before the step:
    $p \leftarrow p \odot \exp(\gamma_p m \odot g)$ and $s \leftarrow s \exp(\gamma_s u \cdot g)$, where
    $m \leftarrow \beta m + (1 - \beta) g$ and $u$ are those of the step before. Both begin at 1, rise while
    gradients keep their direction, and stay between 1 / `limit` and `limit`; their logarithms are kept. The
    scale is common to the weights of a group (on one device, of one type). With $\gamma_p = \gamma_s = 0$
    this is momentum.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 0.01,
        momentum: float = 0.9,
        beta: float = 0.9,
        gain_rate: float = 0.01,
        scale_rate: float = 0.001,
        limit: float = 100.0,
    ):
        at_least_zero(lr=lr, gain_rate=gain_rate, scale_rate=scale_rate)
        below_one(momentum=momentum, beta=beta)
        if not limit >= 1:
            raise UsageError(f"limit must be at least 1, not {limit}")
        options = {"lr": lr, "momentum": momentum, "beta": beta, "limit": limit}
        super().__init__(params, {**options, "gain_rate": gain_rate, "scale_rate": scale_rate})

    def move(self, weights: Tensors, grads: Tensors, group: dict[str, Any]) -> None:
        """One step of weights of one device and type."""
        means, moved, gains = (self.kept(name, weights) for name in ("mean", "momentum", "gain"))
        scales = self.kept("scale", weights, single=True)
        highest = math.log(group["limit"])
        agreement = weights[0].new_zeros(())
        for g, u in bites(grads, moved):
            agreement += torch.stack([both.sum() for both in torch._foreach_mul(g, u)]).sum()
        torch._foreach_add_(scales, group["scale_rate"] * agreement)
        _within(scales, highest)
        factors = torch._foreach_exp(scales)
        for w, g, m, u, p, s in bites(weights, grads, means, moved, gains, factors):
            torch._foreach_addcmul_(p, m, g, value=group["gain_rate"])
            _within(p, highest)
            torch._foreach_lerp_(m, g, 1 - group["beta"])
            torch._foreach_mul_(u, group["momentum"])
            torch._foreach_addcmul_(u, torch._foreach_exp(p), g, value=group["lr"])
            torch._foreach_addcmul_(w, u, s, value=-1.0)


def _within(logarithms: Tensors, highest: float) -> None:
    torch._foreach_clamp_max_(logarithms, highest)
    torch._foreach_clamp_min_(logarithms, -highest)
