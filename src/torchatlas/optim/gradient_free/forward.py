"""The forward gradient: one derivative along a random direction, without a backward pass."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ...cards.card import method
from ..wrapper import Base
from .directions import agreement, scaled, weights_of
from .estimate import AbstractEstimate


def forward_gradient(
    loss: Callable[[dict[str, Tensor]], Tensor],
    params: Mapping[str, Tensor],
    generator: torch.Generator | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    r"""A loss and an unbiased estimate of its gradient, $(\nabla f \cdot v) v$ with normal $v$.

    loss: a scalar of parameters by name, as `torch.func.functional_call` takes them.
    One forward pass gives both; nothing is kept for a backward pass.
    """
    along = {
        name: torch.randn(p.shape, generator=generator, dtype=p.dtype, device=p.device)
        for name, p in params.items()
    }
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of what PyTorch itself imports for this
        point = {name: p.detach() for name, p in params.items()}
        value, slope = torch.func.jvp(loss, (point,), (along,))[:2]
    return value, {name: slope * v for name, v in along.items()}


@method(
    "forward_gradient",
    year=2022,
    paper="arXiv:2202.08587",
    recipe={"lr": 0.005, "optimizer.samples": 10},
    tiny={"samples": 4},
)
class ForwardGradient(AbstractEstimate):
    r"""Forward gradient: $(\nabla f \cdot v) v$ with normal $v$ in place of the gradient, for the base.

    Its mean is the gradient, its variance grows with the number of weights, so rates are far smaller; a
    mean over `samples` directions is taken. This optimizer learns as the method does but does not save what
    it saves: the closure makes a backward pass, of whose gradient only the product with $v$ is looked at.
    The function `forward_gradient` computes the same by one `torch.func.jvp`, without a backward pass.
    """

    def __init__(
        self,
        params: ParamsT,
        base: Base = "sgd",
        lr: float | None = None,
        samples: int = 1,
        seed: int = 0,
    ):
        super().__init__(params, base, lr, samples, seed)

    def estimate(self, closure: Callable[[], Any], step: int) -> tuple[Any, list[Tensor], list[Tensor]]:
        """The loss, the weights that have a gradient, and the estimate."""
        with torch.enable_grad():
            loss = closure()
        weights = [weight for weight in weights_of(self) if weight.grad is not None]
        grads = [weight.grad.to_dense() for weight in weights if weight.grad is not None]
        total = [torch.zeros_like(weight) for weight in weights]
        for sample in range(self.samples if weights else 0):
            direction = self.drawn(weights, step, sample)
            slope = agreement(grads, direction) / self.samples
            torch._foreach_add_(total, scaled(direction, slope))
        return loss, weights, total
