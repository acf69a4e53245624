"""What the training rows of each class say to a loss."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...engine.errors import UsageError


def sizes_of(class_counts: Sequence[int]) -> list[float]:
    """Rows per class; a class without any counts as one row, so that no weight or logarithm is infinite.

    Raises UsageError for no classes and for counts below zero.
    """
    counts = [float(count) for count in class_counts]
    if not counts or min(counts) < 0:
        raise UsageError(f"class_counts says the training rows of each class, so not {tuple(class_counts)}")
    return [max(count, 1.0) for count in counts]


def fitting(prediction: Tensor, columns: int, what: str) -> None:
    """Raise UsageError unless there are as many scores as the loss was told of."""
    if prediction.shape[1] != columns:
        raise UsageError(f"{what} was made for {columns} scores a row, and there are {prediction.shape[1]}")


def normalised_sigmoid(scores: Tensor) -> Tensor:  # (b, k) -> (b, k)
    r"""Probabilities of classes from scores of each against the rest: $\sigma(z_c) / \sum_i \sigma(z_i)$.

    Computed by logarithms, so that a row of very low scores is no division by zero.
    """
    return torch.nn.functional.logsigmoid(scores).softmax(1)


def one_hot(target: Tensor, prediction: Tensor) -> Tensor:  # -> (b, k)
    """Labels 0 or 1 in the scores' dtype; class numbers that no column has, the background's, have none.

    Labels of the scores' shape stay as they are.
    """
    if target.ndim == prediction.ndim:
        return target.to(prediction.dtype)
    numbers = torch.arange(prediction.shape[1], device=prediction.device)
    return (target[:, None] == numbers).to(prediction.dtype)


def learning(loss: torch.nn.Module) -> bool:
    """Whether a training step is being taken: only then a loss draws, counts or looks at the whole batch.

    Scoring without gradient does none of that, even by a copy of the loss that was left in training mode.
    """
    return loss.training and torch.is_grad_enabled()
