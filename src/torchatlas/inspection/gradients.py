"""Gradients with respect to the input, of a model that is afterwards what it was."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..engine.errors import UsageError

Model = Callable[[Tensor], Tensor]  # a batch in, scores out: logits (batch, classes)


def input_gradient(model: Model, x: Tensor, score: Callable[[Tensor], Tensor]) -> Tensor:
    """The gradient at x of `score(model(x)).sum()`, where a module is in evaluation mode.

    Neither the gradients that parameters hold nor the modes of modules change.
    Raises UsageError where x has no influence on the model's output that a gradient could see.
    """
    with evaluating(model), torch.enable_grad():
        x = x.detach().requires_grad_()
        total = score(model(x)).sum()
        (gradient,) = torch.autograd.grad(total, x, allow_unused=True) if total.requires_grad else (None,)
    if gradient is None:
        raise UsageError("the model's output has no gradient with respect to its input")
    return gradient


@contextmanager
def evaluating(model: Model) -> Iterator[None]:
    """A module in evaluation mode within, each of its parts afterwards in the mode that it had."""
    modes = [(part, part.training) for part in model.modules()] if isinstance(model, nn.Module) else []
    try:
        for part, _ in modes:
            part.training = False
        yield
    finally:
        for part, training in modes:
            part.training = training
