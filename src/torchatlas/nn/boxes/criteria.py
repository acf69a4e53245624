"""Greedy suppression by another criterion: how much overlap drops a box, and what counts as overlap."""

from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from .iou import wide
from .ranking import Ranked, greedy


@method(
    "adaptive_nms",
    year=2019,
    paper="arXiv:1904.03629",
    topics=("detection", "vision"),
)
def adaptive_nms(
    boxes: Tensor,
    scores: Tensor,
    densities: Tensor,
    threshold: float = 0.5,
    classes: Tensor | None = None,
) -> Tensor:
    """Adaptive NMS: greedy NMS whose threshold rises in crowds, to the density around the box kept.

    A kept box drops what overlaps it by more than the larger of `threshold` and its density. densities: (n,),
    predicted by the detector: the largest IoU of the object with another one. With zeros it is plain NMS;
    boxes of density 1 drop nothing. Gives the places of the boxes kept, best first.
    Raises UsageError for shapes that do not fit.
    """
    ranked = Ranked.of("adaptive_nms", boxes, scores, classes)
    if densities.shape != scores.shape:
        raise UsageError(f"adaptive_nms wants a density for each box; got {tuple(densities.shape)}")
    limits = wide(densities)[ranked.order].clamp(min=threshold)
    kept = greedy(ranked, lambda rows, columns: ranked.overlaps(rows, columns) > limits[rows][:, None])
    return ranked.order[kept]


@method(
    "diou_nms",
    year=2019,
    paper="arXiv:1911.08287",
    topics=("detection", "vision"),
)
def diou_nms(
    boxes: Tensor,
    scores: Tensor,
    threshold: float = 0.5,
    classes: Tensor | None = None,
    beta: float = 1.0,
) -> Tensor:
    r"""DIoU-NMS: greedy NMS that spares boxes whose centres lie apart, two objects that overlap.

    A kept box drops those with $\mathrm{IoU} - (\rho^2 / c^2)^\beta$ above the threshold, $\rho$ the distance
    of the centres and c the diagonal of the smallest box around both. Large `beta` make it plain NMS; it
    never drops a box that plain NMS would spare beside the same kept ones.
    Gives the places of the boxes kept, best first. Raises UsageError for shapes that do not fit.
    """
    if not beta > 0:
        raise UsageError(f"beta must be above 0, not {beta}")
    ranked = Ranked.of("diou_nms", boxes, scores, classes)
    kept = greedy(ranked, lambda rows, columns: ranked.overlaps(rows, columns, nearness=beta) > threshold)
    return ranked.order[kept]
