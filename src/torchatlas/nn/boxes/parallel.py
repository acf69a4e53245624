"""Suppression of all boxes at once, with no order to wait for: Fast, Cluster and Matrix NMS.

They compare every two boxes, as devices with many cores like it. On a CPU greedy NMS, which compares with
kept boxes alone, is faster where there are thousands of boxes.
"""

import torch
from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from .ranking import Kept, Ranked, settled

CRITERIA = ("iou", "diou")
FORMS = ("gaussian", "linear")


def heaviest(ranked: Ranked) -> Tensor:  # -> (n,)
    """For each box the largest overlap with a better one; zero for the best."""
    parts = [overlaps.amax(1) for _, _, overlaps in ranked.better()]
    return torch.cat(parts) if parts else ranked.scores


@method(
    "fast_nms",
    year=2019,
    paper="arXiv:1904.02689",
    topics=("detection", "vision"),
)
def fast_nms(
    boxes: Tensor,
    scores: Tensor,
    threshold: float = 0.5,
    classes: Tensor | None = None,
) -> Tensor:
    """Fast NMS: a box stays that overlaps no better box by more than the threshold, kept or not.

    Boxes that are dropped still drop others, so some fall that greedy NMS keeps; none stays that it drops.
    Gives the places of the boxes kept, best first. Raises UsageError for shapes that do not fit.
    """
    ranked = Ranked.of("fast_nms", boxes, scores, classes)
    return ranked.order[heaviest(ranked) <= threshold]


@method(
    "cluster_nms",
    year=2020,
    paper="arXiv:2005.03572",
    topics=("detection", "vision"),
)
def cluster_nms(
    boxes: Tensor,
    scores: Tensor,
    threshold: float = 0.5,
    classes: Tensor | None = None,
    criterion: str = "iou",
    penalty: float | None = None,
    merge: float | None = None,
    floor: float = 0.01,
    rounds: int | None = None,
) -> Kept:
    r"""Cluster NMS: Fast NMS repeated by the boxes that it kept until nothing changes: greedy NMS, at once.

    It takes as many rounds as the longest chain of boxes that drop each other; `rounds=1` is Fast NMS.
    criterion: "iou", or "diou", which takes off the distance of centres as in DIoU-NMS.
    penalty: no box is dropped at once; its score is multiplied by $e^{-\mathrm{IoU}^2 / p}$ for each better
    box kept (p = 0.2 in the paper), and it stays with `floor` at least.
    merge: a kept box becomes the mean of itself and the worse boxes that overlap it by more than this (0.8 in
    the paper), weighted by overlap and score.
    Gives `places`, `boxes` and `scores`, best first. Its memory grows with the pairs that overlap so much.
    Raises UsageError for shapes that do not fit and other criteria.
    """
    if criterion not in CRITERIA:
        raise UsageError(f"cluster_nms has the criteria {' and '.join(CRITERIA)}, not {criterion!r}")
    if penalty is not None and not penalty > 0:
        raise UsageError(f"penalty must be above 0, or None; not {penalty}")
    ranked = Ranked.of("cluster_nms", boxes, scores, classes)
    nearness = 1.0 if criterion == "diou" else None
    every = torch.arange(len(ranked), device=boxes.device)
    stays = settled(len(ranked), _drops(ranked, threshold, nearness), rounds)
    now = ranked.scores
    if penalty is not None:
        taken = torch.zeros_like(now)
        for some in _some(every[stays], ranked):
            taken = taken + (ranked.overlaps(some) * (some[:, None] < every)).square().sum(0)
        now = now * (-taken / penalty).exp()
        stays = now >= floor
    chosen = every[stays]
    merged = ranked.at(chosen) if merge is None else _merged(ranked, chosen, merge)
    return ranked.kept(chosen, merged, now[chosen], (boxes, scores))


def _drops(ranked: Ranked, threshold: float, nearness: float | None) -> Tensor:  # -> (e, 2)
    """All pairs of a better box and one that overlaps it by more than the threshold."""
    pairs = [torch.empty(0, 2, dtype=torch.long, device=ranked.order.device)]
    for some, _, overlaps in ranked.better(nearness):
        worse, better = (overlaps > threshold).nonzero().unbind(1)
        pairs.append(torch.stack([better, worse + some.start], 1))
    return torch.cat(pairs)


def _some(ranks: Tensor, ranked: Ranked) -> tuple[Tensor, ...]:
    """Ranks in parts that can be compared with all others at once."""
    return ranks.split(max(1, ranked.pairs // max(1, len(ranked))))


def _merged(ranked: Ranked, kept: Tensor, merge: float) -> Tensor:  # (k,) -> (k, 4)
    """Each kept box, averaged with the worse ones that overlap it by more than `merge`."""
    every, found = torch.arange(len(ranked), device=kept.device), [ranked.at(kept[:0])]
    for some in _some(kept, ranked):
        iou = ranked.overlaps(some)
        weight = iou.where((iou > merge) & (some[:, None] < every), 0) + (some[:, None] == every).to(iou)
        weight = weight * ranked.scores
        total = weight.sum(1, keepdim=True)
        mean = (weight @ ranked.corners.T) / total.where(total > 0, 1)
        found.append(mean.where(total > 0, ranked.at(some)))
    return torch.cat(found)


@method(
    "matrix_nms",
    year=2020,
    paper="arXiv:2003.10152",
    topics=("detection", "vision"),
)
def matrix_nms(
    boxes: Tensor,
    scores: Tensor,
    classes: Tensor | None = None,
    form: str = "gaussian",
    sigma: float = 0.5,
    floor: float = 0.05,
) -> Kept:
    r"""Matrix NMS: Soft-NMS at once; a box that is itself covered by a better one takes less from others.

    A score $s_j$ is multiplied by the least $f(\mathrm{IoU}_{ij}) / f(\max_{k<i} \mathrm{IoU}_{ki})$ over
    better boxes i, with $f(x) = e^{-x^2 / \sigma}$ (`form="gaussian"`) or 1 - x (`form="linear"`). Boxes
    below `floor` are dropped. Gives `places`, `boxes` and the new `scores`, best first.
    Raises UsageError for shapes that do not fit, another form, or a sigma that is not positive.
    """
    if form not in FORMS or not sigma > 0:
        raise UsageError(f"matrix_nms has the forms {' and '.join(FORMS)}, sigma > 0; got {form!r}, {sigma}")
    ranked = Ranked.of("matrix_nms", boxes, scores, classes)
    covered, factors = heaviest(ranked), [ranked.scores[:0]]
    for _, before, overlaps in ranked.better():
        if form == "gaussian":  # the least quotient of two exponentials
            excess = overlaps.square() - covered[before].square()
            factors.append((-excess.amax(1).clamp(min=0) / sigma).exp())
        else:  # a box that is wholly covered takes nothing from others
            rest = 1 - covered[before]
            quotient = (1 - overlaps) / rest.where(rest > 0, 1)
            factors.append(quotient.where(rest > 0, 1).amin(1).clamp(max=1))
    now = ranked.scores * torch.cat(factors)
    ranks = (now >= floor).nonzero()[:, 0]
    return ranked.kept(ranks, ranked.at(ranks), now[ranks], (boxes, scores))
