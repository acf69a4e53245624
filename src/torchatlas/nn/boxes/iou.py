"""Intersection over union of boxes (x1, y1, x2, y2)."""

import torch
from torch import Tensor

from ...engine.errors import UsageError


def areas(boxes: Tensor) -> Tensor:  # (..., 4) -> (...)
    """The area of each box; zero where its corners are the wrong way round."""
    width, height = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).unbind(-1)
    return width * height


def pairwise_iou(first: Tensor, second: Tensor) -> Tensor:  # (n, 4), (m, 4) -> (n, m)
    r"""The overlap of every box with every other, $|A \cap B| / |A \cup B|$; zero where both are empty.

    Worked out in float64 (float32 on MPS, which has no more) and given in the boxes' own type, or in float64
    for integers: squares of large coordinates neither overflow nor lose pixels.
    Raises UsageError for what is not a list of four coordinates each.
    """
    for boxes in (first, second):
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise UsageError(f"boxes have the shape (n, 4): x1, y1, x2, y2 of each; got {tuple(boxes.shape)}")
    kind = torch.promote_types(first.dtype, second.dtype)
    a, b = wide(first), wide(second)
    corners = torch.maximum(a[:, None, :2], b[:, :2]), torch.minimum(a[:, None, 2:], b[:, 2:])
    both = areas(torch.cat(corners, -1))
    either = areas(a)[:, None] + areas(b) - both
    iou = both / either.where(either > 0, 1)
    return iou.to(kind) if kind.is_floating_point else iou


def wide(boxes: Tensor) -> Tensor:
    """The same numbers in the widest type that the device has."""
    return boxes.to(torch.float32 if boxes.device.type == "mps" else torch.float64)
