"""Zeroth-order: a gradient from differences of the loss along random directions."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ...cards.card import method
from ...engine.errors import UsageError
from ..foreach import joint_norm
from ..wrapper import Base, value_of
from .directions import scaled, weights_of
from .estimate import AbstractEstimate


@method(
    "zeroth_order",
    year=2017,
    paper="Nesterov and Spokoiny, FoCM 17",
    recipe={"lr": 0.005, "optimizer.samples": 10},
)
class ZerothOrder(AbstractEstimate):
    r"""Zeroth-order gradient: $\frac{f(w + \epsilon u) - f(w - \epsilon u)}{2 \epsilon} u$ for the base.

    $u$ is normal, over all weights together, and the estimate a mean over `samples` of them; its variance
    grows with the number of weights, so rates are far smaller than with gradients. Not `two_sided`, it is
    $\frac{f(w + \epsilon u) - f(w)}{\epsilon} u$, whose error falls with $\epsilon$, not with its square.
    On the unit `sphere` directions have one length, and the estimate the factor of the number of weights.
    The closure is called 2 `samples` times a step, or 1 + `samples`; only its value counts, so that one under
    `torch.no_grad` does. The loss of a step is $f(w)$, or where two-sided the mean of its values.
    """

    def __init__(
        self,
        params: ParamsT,
        base: Base = "sgd",
        lr: float | None = None,
        eps: float = 1e-3,
        samples: int = 1,
        two_sided: bool = True,
        sphere: bool = False,
        seed: int = 0,
    ):
        if not eps > 0:
            raise UsageError(f"eps must be above 0, not {eps}")
        super().__init__(params, base, lr, samples, seed)
        self.eps, self.two_sided, self.sphere = eps, two_sided, sphere

    def estimate(self, closure: Callable[[], Any], step: int) -> tuple[Any, list[Tensor], list[Tensor]]:
        """The loss, all weights, and the estimate."""
        weights = weights_of(self)
        kept = [weight.clone() for weight in weights]
        total = [torch.zeros_like(weight) for weight in weights]
        count, values = sum(weight.numel() for weight in weights), []
        here = None if self.two_sided else value_of(closure)

        def at(direction: list[Tensor], distance: float) -> Tensor:
            torch._foreach_copy_(weights, kept)
            torch._foreach_add_(weights, direction, alpha=distance)
            values.append(value_of(closure))
            return values[-1]

        try:
            for sample in range(self.samples):
                direction = self.drawn(weights, step, sample)
                if self.sphere:
                    direction = scaled(direction, 1 / joint_norm(direction))
                if here is None:
                    slope = (at(direction, self.eps) - at(direction, -self.eps)) / (2 * self.eps)
                else:
                    slope = (at(direction, self.eps) - here) / self.eps
                share = slope * (count if self.sphere else 1) / self.samples
                torch._foreach_add_(total, scaled(direction, share))
        finally:
            torch._foreach_copy_(weights, kept)
        return (torch.stack(values).mean() if here is None else here), weights, total
