"""What activations that look at the whole map share: its means, and numbers per sample and channel."""

from torch import Tensor

from ...engine.errors import UsageError


def pooled(x: Tensor, channels: int) -> Tensor:  # (b, c, ...) -> (b, c)
    """The mean of each channel over all positions; a table without positions stays as it is.

    Raises UsageError unless x is (batch, channels, ...) with so many channels.
    """
    if x.dim() < 2 or x.shape[1] != channels:
        raise UsageError(
            f"this activation was made for maps (batch, {channels}, height, width), and its input is of "
            f"shape {tuple(x.shape)}"
        )
    return x if x.dim() == 2 else x.flatten(2).mean(2)


def spread(numbers: Tensor, x: Tensor) -> Tensor:  # (b, c) -> (b, c, 1, ...)
    """Numbers per sample and channel, shaped so that they meet every position of x."""
    return numbers[(..., *[None] * (x.dim() - 2))]
