"""The windows of a map, as numbers side by side."""

from torch import Tensor

Size = int | tuple[int, int]


def pair(size: Size) -> tuple[int, int]:
    """Height and width; one number stands for both."""
    return (size, size) if isinstance(size, int) else size


def windows(x: Tensor, size: Size, stride: Size | None = None) -> Tensor:  # (b, c, h, w) -> (b, c, h', w', k)
    """The numbers of each window, row by row; what is left over at the lower and right border is left out."""
    (high, wide), (down, across) = pair(size), pair(size if stride is None else stride)
    return x.unfold(2, high, down).unfold(3, wide, across).flatten(4)
