"""Suppression in which the boxes that fall lend the kept ones what they know: scores or coordinates."""

import torch
from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from .iou import wide
from .ranking import Kept, Ranked, above, greedy, owners


@method(
    "iou_guided_nms",
    year=2018,
    paper="arXiv:1807.11590",
    topics=("detection", "vision"),
)
def iou_guided_nms(
    boxes: Tensor,
    scores: Tensor,
    confidences: Tensor,
    threshold: float = 0.5,
    classes: Tensor | None = None,
) -> Kept:
    """IoU-guided NMS: the best placed box of a cluster stays, with the best class score of the cluster.

    Boxes are ranked by `confidences` (n,), the IoU with the truth that the detector predicts for each, and
    suppressed greedily by it; a kept box takes the largest of its own score and of those that it drops.
    Where confidences are the scores it is plain NMS. Gives `places`, `boxes` and `scores`, best score first.
    Raises UsageError for shapes that do not fit.
    """
    if confidences.shape != scores.shape:
        raise UsageError(f"iou_guided_nms wants a confidence for each box; got {tuple(confidences.shape)}")
    ranked = Ranked.of("iou_guided_nms", boxes, confidences, classes)
    drops = above(ranked, threshold)
    kept = greedy(ranked, drops)
    own = wide(scores)[ranked.order]
    best = own.scatter_reduce(0, owners(ranked, kept, drops), own, "amax")
    return ranked.kept(kept, ranked.at(kept), best[kept], (boxes, scores))


@method(
    "weighted_nms",
    year=2017,
    paper="Ning et al., Inception single shot multibox detector for object detection, ICIP workshops",
    topics=("detection", "vision"),
)
def weighted_nms(
    boxes: Tensor,
    scores: Tensor,
    threshold: float = 0.5,
    classes: Tensor | None = None,
) -> Kept:
    r"""Weighted NMS: a kept box becomes the mean of its cluster, $\sum_i w_i B_i / \sum_i w_i$.

    The cluster are the box itself and those that it drops, $w_i = s_i \mathrm{IoU}(B_i, B)$ with scores s
    from 0 up; the score stays. A box that drops none stays as it is. Gives `places`, `boxes` and `scores`,
    best first. Raises UsageError for shapes that do not fit.
    """
    ranked = Ranked.of("weighted_nms", boxes, scores, classes)
    drops = above(ranked, threshold)
    kept = greedy(ranked, drops)
    owner = owners(ranked, kept, drops)
    weight = ranked.scores * ranked.with_owner(owner)
    total = torch.zeros_like(weight).index_add(0, owner, weight)[kept]
    mixed = ranked.corners.new_zeros(len(ranked), 4)
    mixed = mixed.index_add(0, owner, weight[:, None] * ranked.corners.T)[kept]
    merged = mixed / total.where(total > 0, 1)[:, None]
    merged = merged.where((total > 0)[:, None], ranked.at(kept))
    return ranked.kept(kept, merged, ranked.scores[kept], (boxes, scores))


@method(
    "softer_nms",
    year=2018,
    paper="arXiv:1809.08545",
    topics=("detection", "vision"),
    aliases=("variance_voting",),
)
def softer_nms(
    boxes: Tensor,
    scores: Tensor,
    variances: Tensor,
    threshold: float = 0.5,
    classes: Tensor | None = None,
    sigma: float = 0.02,
) -> Kept:
    r"""Softer-NMS (variance voting): all boxes that touch a kept one vote on where its sides are.

    Each side is the mean of the voters' sides with weights $e^{-(1 - \mathrm{IoU})^2 / \sigma} / \sigma_i^2$:
    near boxes that are sure of the side count most. variances: (n, 4), the $\sigma_i^2$ that the detector
    predicts for each side, above 0. Kept are those of plain NMS, with their scores.
    Gives `places`, `boxes` and `scores`, best first. Raises UsageError for shapes that do not fit.
    """
    if variances.shape != boxes.shape or not sigma > 0:
        raise UsageError(f"softer_nms wants (n, 4) variances and sigma > 0; got {tuple(variances.shape)}")
    ranked = Ranked.of("softer_nms", boxes, scores, classes)
    kept = greedy(ranked, above(ranked, threshold))
    sure = 1 / wide(variances)[ranked.order]
    voted = [ranked.at(kept[:0])]
    for some in kept.split(max(1, ranked.pairs // max(1, len(ranked)))):
        iou = ranked.overlaps(some)
        near = (-(1 - iou).square() / sigma).exp() * (iou > 0)  # (some, n)
        total, mine = near @ sure, ranked.at(some)
        vote = (near @ (sure * ranked.corners.T)) / total.where(total > 0, 1)
        voted.append(vote.where(total > 0, mine))
    return ranked.kept(kept, torch.cat(voted), ranked.scores[kept], (boxes, scores))
