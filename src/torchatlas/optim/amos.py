"""Amos: a step and a decay for each tensor that follow from the size its weights should come to."""

from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ..cards.card import method
from .foreach import AbstractForeach, Tensors, at_least_zero, below_one, bites, off_one


@method("amos", year=2022, paper="arXiv:2210.11693", topics=("memory",), recipe={"lr": 0.03})
class Amos(AbstractForeach):
    r"""Amos: adaptive weight decay towards a model-oriented scale $\eta$, and rates that fall by themselves.

    With $\overline{g^2}$ the mean squared gradient of a tensor, $v \leftarrow \beta v + (1 - \beta)
    \overline{g^2}$ and $r = (1 - \beta^t) / v$; then
    $\rho = c \gamma^2 r \overline{g^2}$, $w \leftarrow w - d (\gamma \eta \sqrt{r} g + \rho w / 2)$, and
    $b \leftarrow b (1 + \rho) + \rho$, where $c = (1 + \sqrt{\gamma} b / 4)^{-1/2}$ and
    $d = 1 / (1 + \sqrt{\gamma \eta} b / 4)$ are those from before. $v$ and $b$ are one number for a tensor.
    $\eta$ is the size that entries should come to: `scale`, or by the shape 1/2 for vectors and
    $\sqrt{2 / n}$ for the weights of $n$ inputs.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-2,
        beta: float = 0.999,
        scale: float | None = None,
        capturable: bool = False,
    ):
        at_least_zero(lr=lr, scale=scale or 0)
        below_one(beta=beta)
        super().__init__(params, {"lr": lr, "beta": beta, "scale": scale, "capturable": capturable})

    def move(self, weights: Tensors, grads: Tensors, group: dict[str, Any]) -> None:
        """One step of weights of one device and type."""
        rate, beta, tiny = group["lr"], group["beta"], torch.finfo(weights[0].dtype).tiny
        scales = [scale_of(weight) if group["scale"] is None else group["scale"] for weight in weights]
        now = list(torch._foreach_norm(grads))
        torch._foreach_mul_(now, [grad.numel() ** -0.5 for grad in grads])
        torch._foreach_mul_(now, now)
        means, decays = (self.kept(name, weights, single=True) for name in ("square", "decay"))
        torch._foreach_lerp_(means, now, 1 - beta)
        large = torch._foreach_clamp_min(means, tiny)
        inverse = torch._foreach_reciprocal(large)
        torch._foreach_mul_(inverse, off_one(beta, self.counted(weights, group)))  # r

        slower = torch._foreach_mul(decays, rate**0.5 / 4)
        torch._foreach_add_(slower, 1.0)
        torch._foreach_sqrt_(slower)  # 1/c
        shrink = torch._foreach_mul(inverse, now)
        torch._foreach_mul_(shrink, rate**2)
        torch._foreach_div_(shrink, slower)  # ρ
        weaker = torch._foreach_mul(decays, [(rate * scale) ** 0.5 / 4 for scale in scales])
        torch._foreach_add_(weaker, 1.0)  # 1/d

        steps = torch._foreach_sqrt(inverse)
        torch._foreach_mul_(steps, [-rate * scale for scale in scales])
        torch._foreach_div_(steps, weaker)
        keep = torch._foreach_div(shrink, weaker)
        torch._foreach_mul_(keep, -0.5)
        torch._foreach_add_(keep, 1.0)
        for w, g, share, step in bites(weights, grads, keep, steps):
            torch._foreach_mul_(w, share)
            torch._foreach_addcmul_(w, g, step)
        torch._foreach_addcmul_(decays, decays, shrink)
        torch._foreach_add_(decays, shrink)


def scale_of(weight: Tensor) -> float:
    """The size that a tensor's entries should come to, by its shape."""
    return 0.5 if weight.ndim < 2 else (2 * len(weight) / weight.numel()) ** 0.5
