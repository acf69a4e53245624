"""Intersection over union of boxes (x1, y1, x2, y2), and how else two boxes stand to each other."""

import torch
from torch import Tensor

from ...engine.errors import UsageError


def areas(boxes: Tensor) -> Tensor:  # (..., 4) -> (...)
    """The area of each box; zero where its corners are the wrong way round."""
    width, height = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).unbind(-1)
    return width * height


def shared(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:  # (..., 4), broadcast -> 2 of (...)
    """The areas that boxes have in common, and those that they cover together."""
    (ax1, ay1, ax2, ay2), (bx1, by1, bx2, by2) = a.unbind(-1), b.unbind(-1)
    width = torch.minimum(ax2, bx2).sub_(torch.maximum(ax1, bx1)).clamp_(min=0)
    height = torch.minimum(ay2, by2).sub_(torch.maximum(ay1, by1)).clamp_(min=0)
    both = width * height
    return both, areas(a) + areas(b) - both


def hull(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:  # (..., 4), broadcast -> 2 of (...)
    """Width and height of the smallest box around both, whichever way round their corners are."""
    sides = []
    for k in (0, 1):
        low = torch.minimum(torch.minimum(a[..., k], a[..., k + 2]), torch.minimum(b[..., k], b[..., k + 2]))
        high = torch.maximum(torch.maximum(a[..., k], a[..., k + 2]), torch.maximum(b[..., k], b[..., k + 2]))
        sides.append(high - low)
    return sides[0], sides[1]


def centre_gap(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:  # (..., 4), broadcast -> 2 of (...)
    """How far the centre of b lies from that of a, sideways and down."""
    across = (b[..., 0] + b[..., 2] - a[..., 0] - a[..., 2]) / 2
    down = (b[..., 1] + b[..., 3] - a[..., 1] - a[..., 3]) / 2
    return across, down


def centre_distance(a: Tensor, b: Tensor) -> Tensor:  # (..., 4), broadcast -> (...)
    """The squared distance of centres over the squared diagonal of the box around both, from 0 to 1."""
    across, down = centre_gap(a, b)
    width, height = hull(a, b)
    diagonal = width.square() + height.square()
    return (across.square() + down.square()) / diagonal.clamp_min(tiny(diagonal) ** 2)


def tiny(x: Tensor) -> float:
    """A length that is nothing beside 1 in the type of x: lengths and areas are divided by no less."""
    return torch.finfo(x.dtype).eps


def intersection_over_union(a: Tensor, b: Tensor) -> Tensor:  # (..., 4), broadcast -> (...)
    """The area in common over that covered together; zero where both are empty."""
    both, either = shared(a, b)
    return both / either.where(either > 0, 1)


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
    iou = intersection_over_union(wide(first)[:, None], wide(second))
    return iou.to(kind) if kind.is_floating_point else iou


def wide(boxes: Tensor) -> Tensor:
    """The same numbers in the widest type that the device has."""
    return boxes.to(torch.float32 if boxes.device.type == "mps" else torch.float64)
