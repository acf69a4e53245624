"""Non-maximum suppression: of boxes that overlap, only the best stays."""

import torch
from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from .ranking import ALL, Ranked, above, greedy

FORMS = ("greedy", "matrix")


@method(
    "nms",
    year=1971,
    paper="Rosenfeld and Thurston, IEEE Transactions on Computers C-20",
    topics=("detection", "vision"),
    aliases=("nms_family",),
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
    form: "greedy" settles the best boxes first, a block at a time, and compares with those still in play;
    "matrix" works all overlaps out at once and reads them once, as GPU code does. Both give the same; the
    matrix takes n² of memory.
    Raises UsageError for shapes that do not fit.
    """
    ranked = Ranked.of("nms", boxes, scores, classes)
    if form not in FORMS:
        raise UsageError(f"nms has the forms {' and '.join(FORMS)}, not {form!r}")
    kept = greedy(ranked, above(ranked, threshold)) if form == "greedy" else _matrix(ranked, threshold)
    return ranked.order[kept]


def _matrix(ranked: Ranked, threshold: float) -> Tensor:
    """The ranks of the boxes kept, from the matrix of overlaps: row by row, those kept drop others."""
    rows = (ranked.overlaps(ALL, ALL) > threshold).cpu()
    keep = torch.ones(len(ranked), dtype=torch.bool)
    for rank in range(len(ranked) - 1):
        keep[rank + 1 :] &= ~(rows[rank, rank + 1 :] & keep[rank])
    return keep.nonzero()[:, 0].to(ranked.order.device)
