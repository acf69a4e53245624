"""Pooling of regions of interest: a grid of numbers from each box of a map."""

import torch
from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from .windows import Size, pair


@method(
    "roi_pool",
    kind="tool",
    year=2015,
    paper="arXiv:1504.08083",
    topics=("detection", "vision"),
)
def roi_pool(x: Tensor, boxes: Tensor, output_size: Size, scale: float = 1.0) -> Tensor:
    """RoI pooling: the largest number in each cell of a grid over each box.

    boxes: (n, 5), the sample's number and the corners x1, y1, x2, y2 in the image; `scale` brings them to the
    map, where they are rounded to whole positions, both corners inside. Cells may share a row or column. What
    lies outside the map does not count; a cell of nothing else gives zero.
    Shapes: (batch, channels, height, width) -> (n, channels, *output_size).
    Raises UsageError for other shapes.
    """
    if x.ndim != 4 or boxes.ndim != 2 or boxes.shape[1] != 5:
        raise UsageError(
            f"roi_pool takes (batch, channels, height, width) and boxes (n, 5); got {tuple(x.shape)} and "
            f"{tuple(boxes.shape)}"
        )
    cells, maps = pair(output_size), x[boxes[:, 0].long()]  # (n, c, h, w)
    left, top, right, bottom = _rounded(boxes[:, 1:] * scale).unbind(1)
    rows = _covered(top, bottom, cells[0], x.shape[2])  # (n, k, h)
    columns = _covered(left, right, cells[1], x.shape[3])  # (n, k, w)
    lowest = torch.finfo(x.dtype).min
    bands = [maps.where(rows[:, k, None, :, None], lowest).amax(2) for k in range(cells[0])]  # (n, c, w)
    band = torch.stack(bands, 2)  # (n, c, k, w)
    pooled = torch.stack(
        [band.where(columns[:, k, None, None, :], lowest).amax(3) for k in range(cells[1])], 3
    )
    filled = rows.any(2)[:, :, None] & columns.any(2)[:, None, :]  # (n, k, k)
    return pooled.where(filled[:, None], 0)


def _rounded(x: Tensor) -> Tensor:
    """To the nearest whole number, halves away from zero."""
    return x.sign() * (x.abs() + 0.5).floor()


def _covered(first: Tensor, last: Tensor, cells: int, length: int) -> Tensor:
    """Which positions each cell of a side covers, from the floor of its start: (n, cells, length)."""
    side = (last - first + 1).clamp(min=1)[:, None]
    place = torch.arange(cells, device=first.device)
    start = first[:, None] + (place * side / cells).floor()
    end = first[:, None] + ((place + 1) * side / cells).ceil()
    at = torch.arange(length, device=first.device)
    return (at >= start[:, :, None]) & (at < end[:, :, None])
