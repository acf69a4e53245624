"""Non-maximum suppression: of boxes that overlap, only the best stays."""

import torch
from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from .iou import pairwise_iou, wide

FORMS = ("greedy", "matrix")


@method(
    "nms",
    year=1971,
    paper="Rosenfeld and Thurston, IEEE Transactions on Computers C-20",
    topics=("detection", "vision"),
)
def nms(
    boxes: Tensor,
    scores: Tensor,
    threshold: float = 0.5,
    classes: Tensor | None = None,
    form: str = "greedy",
) -> Tensor:
    """Greedy NMS: keep the best box, drop those that overlap it by more than the threshold, and so on.

    boxes: (n, 4) as x1, y1, x2, y2. classes: boxes suppress only boxes of their own class. Of equal scores
    the earlier box wins. Gives the places of the boxes kept, best first.
    form: "greedy" holds one row of overlaps at a time and stops early; "matrix" works all out at once and
    reads them once, as GPU code does. Both give the same; the matrix takes n² of memory.
    Raises UsageError for shapes that do not fit.
    """
    if scores.shape != boxes.shape[:1] or (classes is not None and classes.shape != scores.shape):
        told = [tuple(t.shape) for t in (boxes, scores, classes) if t is not None]
        raise UsageError(f"nms wants (n, 4) boxes, with n scores and n classes; got {told}")
    if form not in FORMS:
        raise UsageError(f"nms has the forms {' and '.join(FORMS)}, not {form!r}")
    order = scores.argsort(descending=True, stable=True)
    ranked, labels = wide(boxes)[order], classes[order] if classes is not None else None
    scan = _greedy if form == "greedy" else _matrix
    return order[scan(ranked, labels, threshold)]


def _greedy(ranked: Tensor, labels: Tensor | None, threshold: float) -> Tensor:
    """The ranks of the boxes kept; boxes still in play are compared with the best of them."""
    left, kept = torch.arange(len(ranked), device=ranked.device), []
    while len(left):
        best, left = left[:1], left[1:]
        kept.append(best)
        dropped = pairwise_iou(ranked[best], ranked[left])[0] > threshold
        if labels is not None:
            dropped &= labels[left] == labels[best]
        left = left[~dropped]
    return torch.cat(kept) if kept else left


def _matrix(ranked: Tensor, labels: Tensor | None, threshold: float) -> Tensor:
    """The ranks of the boxes kept, from the matrix of overlaps: row by row, those kept drop others."""
    drops = pairwise_iou(ranked, ranked) > threshold
    if labels is not None:
        drops &= labels[:, None] == labels
    rows, keep = drops.cpu(), torch.ones(len(ranked), dtype=torch.bool)
    for rank in range(len(ranked) - 1):
        keep[rank + 1 :] &= ~(rows[rank, rank + 1 :] & keep[rank])
    return keep.nonzero()[:, 0].to(ranked.device)
