"""What losses per sample become: their mean, their sum, or themselves."""

from torch import Tensor

from ..engine.errors import UsageError

REDUCTIONS = ("mean", "sum", "none")


def checked(reduction: str) -> str:
    """The word itself. Raises UsageError where it is none of "mean", "sum" and "none"."""
    if reduction not in REDUCTIONS:
        raise UsageError(f"reduction is 'mean', 'sum' or 'none', not {reduction!r}")
    return reduction


def reduced(losses: Tensor, reduction: str) -> Tensor:
    """The mean or the sum of all losses, or the losses as they are."""
    if reduction == "none":
        return losses
    return losses.mean() if reduction == "mean" else losses.sum()
