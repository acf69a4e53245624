"""What our optimizers share: the walk over groups, and lists of tensors that move together."""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer

from ..engine.errors import UsageError

Tensors = list[Tensor]


class AbstractForeach(Optimizer):
    """An optimizer that moves many weights at once; `move` is all that a method adds.

    Weights without a gradient rest. Sparse and complex gradients are refused in words.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; the loss of the closure, where one is given."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weights in alike(group["params"], type(self).__name__):
                self.move(weights, [w.grad for w in weights if w.grad is not None], group)
        return loss

    @abstractmethod
    def move(self, weights: Tensors, grads: Tensors, group: dict[str, Any]) -> None:
        """Move weights of one device and type in place; the gradients are only read."""


def alike(params: Iterable[Tensor], name: str) -> Iterable[Tensors]:
    """The parameters that have a gradient, in lists of one device and type: what foreach code is fast on."""
    lists: dict[Any, Tensors] = {}
    for param in params:
        grad = param.grad
        if grad is None or not param.numel():
            continue
        if grad.layout != torch.strided or grad.is_complex():
            form = "complex" if grad.is_complex() else "sparse"
            cure = "use adam" if grad.is_complex() else "use sgd or adagrad"
            raise UsageError(f"{name} takes no {form} gradients, as of shape {tuple(param.shape)}: {cure}")
        lists.setdefault((param.device, param.dtype), []).append(param)
    return lists.values()


def at_least_zero(**numbers: float) -> None:
    """Refuse options below zero, each by its name."""
    for name, number in numbers.items():
        if not number >= 0:
            raise UsageError(f"{name} must be at least 0, not {number}")


def below_one(**numbers: float) -> None:
    """Refuse decays outside of 0..1, one excluded, each by its name."""
    for name, number in numbers.items():
        if not 0 <= number < 1:
            raise UsageError(f"{name} must be at least 0 and below 1, not {number}")
