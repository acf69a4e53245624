"""What losses have in common: the precision they are worked out in, and what those per sample become."""

import torch
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


def reduced_or_zero(losses: Tensor, reduction: str) -> Tensor:
    """The same, where no losses at all have the mean zero: an image may be without a box."""
    return reduced(losses, reduction) if losses.numel() or reduction == "none" else losses.sum()


def single(x: Tensor) -> Tensor:
    """The same numbers in single precision at least."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) or not x.is_floating_point() else x
