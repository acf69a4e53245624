"""The windows of a map, as numbers side by side."""

import torch
import torch.nn.functional as F
from torch import Tensor

Size = int | tuple[int, int]


def pair(size: Size) -> tuple[int, int]:
    """Height and width; one number stands for both."""
    return (size, size) if isinstance(size, int) else size


def windows(x: Tensor, size: Size, stride: Size | None = None) -> Tensor:  # (b, c, h, w) -> (b, c, h', w', k)
    """The numbers of each window, row by row; what is left over at the lower and right border is left out."""
    (high, wide), (down, across) = pair(size), pair(size if stride is None else stride)
    return x.unfold(2, high, down).unfold(3, wide, across).flatten(4)


def window_means(x: Tensor, size: Size) -> Tensor:  # (b, c, h, w) -> (b, c, h', w')
    """The mean of each window side by side; those that the border cuts are of what is left.

    `avg_pool2d` with ceil_mode, whose gradient Inductor gets wrong where windows are cut (torch 2.13).
    """
    down, across = pair(size)
    border = (0, -x.shape[3] % across, 0, -x.shape[2] % down)
    if not any(border):
        return F.avg_pool2d(x, (down, across))
    means, shares = (F.avg_pool2d(F.pad(y, border), (down, across)) for y in (x, torch.ones_like(x[:1, :1])))
    return means / shares
