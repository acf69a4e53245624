"""What gradient estimates share: the base takes a step by them as if they were gradients."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ...engine.errors import UsageError
from ..wrapper import AbstractWrapper, Base
from .directions import directions, steps_of, weights_of


class AbstractEstimate(AbstractWrapper):
    """An optimizer that estimates the gradient along random directions and gives it to its base.

    Directions are a function of `seed` and of the step's number, which is in the state: a run that goes on
    from a checkpoint draws what the whole run would.
    """

    def __init__(self, params: ParamsT, base: Base, lr: float | None, samples: int, seed: int):
        if samples < 1:
            raise UsageError(f"samples must be at least 1, not {samples}")
        super().__init__(params, base, lr)
        self.samples, self.seed = samples, seed
        weights_of(self)

    @abstractmethod
    def estimate(self, closure: Callable[[], Any], step: int) -> tuple[Any, list[Tensor], list[Tensor]]:
        """The loss, the weights to be moved, and an estimate of the gradient for each of them."""

    def drawn(self, weights: list[Tensor], step: int, sample: int) -> list[Tensor]:
        """The direction of one sample of a step."""
        return directions(weights, self.seed, step, sample, type(self).__name__)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; the loss. Gradients stay what they were. Raises UsageError without a closure."""
        closure, count = self.needed(closure), steps_of(self)
        loss, weights, estimates = self.estimate(closure, count["step"])
        everything = [weight for group in self.param_groups for weight in group["params"]]
        kept = [weight.grad for weight in everything]
        for weight in everything:
            weight.grad = None
        for weight, estimate in zip(weights, estimates, strict=True):
            weight.grad = estimate
        self.base.step()
        for weight, grad in zip(everything, kept, strict=True):
            weight.grad = grad
        count["step"] += 1
        return loss
