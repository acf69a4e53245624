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


def class_scores(scores: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
    """The scores (b,) of the classes y (b,), by default of the best ones; and those classes.

    Raises UsageError for classes that are not there.
    """
    scores = scores.reshape(len(scores), -1)
    chosen = scores.argmax(1) if y is None else y
    if chosen.shape != (len(scores),):
        raise UsageError(f"one class for each of {len(scores)} rows is wanted, not {tuple(chosen.shape)}")
    if bool(((chosen < 0) | (chosen >= scores.shape[1])).any()):
        raise UsageError(f"classes are 0 to {scores.shape[1] - 1}, and got {chosen.tolist()}")
    return scores.gather(1, chosen[:, None])[:, 0], chosen


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
