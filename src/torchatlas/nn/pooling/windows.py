"""The windows of a map, as numbers side by side."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Size = int | tuple[int, int]


def pair(size: Size) -> tuple[int, int]:
    """Height and width; one number stands for both."""
    return (size, size) if isinstance(size, int) else size


def windows(x: Tensor, size: Size, stride: Size | None = None) -> Tensor:  # (b, c, h, w) -> (b, c, h', w', k)
    """The numbers of each window, row by row; what is left over at the lower and right border is left out."""
    (high, wide), (down, across) = pair(size), pair(size if stride is None else stride)
    return x.unfold(2, high, down).unfold(3, wide, across).flatten(4)


def window_means(
    x: Tensor, size: Size, stride: Size | None = None, border: Size = 0
) -> Tensor:  # (b, c, h, w) -> (b, c, h', w')
    """The mean of each window, side by side or at a stride; of those that the border cuts, of what is left.

    `avg_pool2d` with ceil_mode and count_include_pad=False, whose gradient Inductor gets wrong where windows
    are cut (torch 2.13). border: pixels above and below, left and right, that are not there.
    """
    sizes, steps, edges = pair(size), pair(size if stride is None else stride), pair(border)
    added: list[int] = []
    for side, length, step, edge in zip(x.shape[2:], sizes, steps, edges, strict=True):
        last = -(-(side + 2 * edge - length) // step) * step  # where the last window begins
        last -= step if last >= side + edge else 0  # not beyond the map
        added = [edge, last + length - side - edge, *added]
    if not any(added):
        return F.avg_pool2d(x, sizes, steps)
    means, shares = (F.avg_pool2d(F.pad(y, added), sizes, steps) for y in (x, torch.ones_like(x[:1, :1])))
    return means / shares


class WindowMeans(nn.Module):
    """`window_means` of windows of one size, as a layer."""

    def __init__(self, size: Size):
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        return window_means(x, self.size)
