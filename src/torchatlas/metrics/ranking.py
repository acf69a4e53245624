"""Scores of rankings: how precision falls as more and more is found."""

import torch
from torch import Tensor

from ..cards.card import method
from ..engine.errors import UsageError
from .metric import AbstractMetric


def falling(scores: Tensor, hits: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # (n,), (n,) -> 3 of (k,)
    """Each different score, from the highest down; how many true ones score at least as much; and how many.

    Findings of one score stand and fall together, so the order in which they came cannot be seen.
    """
    order = scores.argsort(descending=True, stable=True)
    ranked = scores[order]
    last = torch.ones_like(ranked, dtype=torch.bool)  # whether the next score is another one
    last[:-1] = ranked[1:] != ranked[:-1]
    count = torch.arange(1, len(ranked) + 1, device=scores.device)
    return ranked[last], hits[order].long().cumsum(0)[last], count[last]


def area(true: Tensor, found: Tensor, truths: Tensor, points: int | None) -> Tensor:  # (k,), (k,), () -> ()
    """The average precision of a curve: all of its area, or the mean over so many recalls from 0 to 1."""
    if not len(true):
        return torch.where(truths > 0, 0.0, torch.nan).double()
    precision = (true.double() / found).flip(0).cummax(0).values.flip(0)  # the best at this recall or beyond
    if points is None:
        steps = torch.diff(true, prepend=true.new_zeros(1))
        return (steps * precision).sum() / truths
    wanted = torch.arange(points, device=true.device) * truths  # recall k/(points - 1), in whole numbers
    place = torch.searchsorted(true * (points - 1), wanted)
    mean = torch.cat([precision, precision.new_zeros(1)])[place].mean()
    return torch.where(truths > 0, mean, torch.nan)


class AbstractRanking(AbstractMetric):
    """A score of findings ranked by how sure one was: kept are each one's score and whether it is true."""

    scores: Tensor
    hits: Tensor
    truths: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_rows("scores")
        self.add_rows("hits", dtype=torch.bool)
        self.add_sum("truths")

    @torch.no_grad()
    def update(self, scores: Tensor, hits: Tensor, truths: Tensor | int | None = None) -> None:
        """Add findings: their scores (n,), whether each is true (n,), and how many there are to be found.

        `truths` are the true ones among them where it is not said: every sample has a score, as in
        classification. A detector may miss some, so there it must be said.
        """
        if scores.shape != hits.shape or scores.ndim != 1:
            raise UsageError(
                f"{getattr(self, '__atlas__', 'a ranking')} wants scores (n,) and whether each is true (n,); "
                f"got {tuple(scores.shape)} and {tuple(hits.shape)}"
            )
        self.keep("scores", scores)
        self.keep("hits", hits.bool())
        self.truths += hits.bool().sum() if truths is None else truths

    def example(self, seed: int) -> tuple[Tensor, Tensor]:
        """Six random findings, the first of them true."""
        numbers = torch.Generator().manual_seed(seed)
        hits = torch.rand(6, generator=numbers) > 0.5
        hits[0] = True
        return torch.rand(6, generator=numbers), hits


@method(
    "pr_curve",
    year=1979,
    paper="van Rijsbergen, Information Retrieval",
    topics=("detection", "classification"),
)
class PRCurve(AbstractRanking):
    """Precision-recall curve: how precision falls as more and more of what is there is found.

    Gives (k, 3), for each different score from the highest down: the score, and precision and recall of all
    findings that score at least as much. In detection a truth is met once: later findings of it are false.
    Errors: `UsageError` for shapes that do not fit.
    """

    def compute(self) -> Tensor:  # -> (k, 3)
        """Score, precision and recall."""
        scores, true, found = falling(self.scores, self.hits)
        return torch.stack([scores, true.double() / found, true.double() / self.truths], 1)


@method(
    "average_precision",
    year=2010,
    paper="Everingham et al., The PASCAL visual object classes challenge, IJCV 88",
    topics=("detection", "classification"),
)
class AveragePrecision(AbstractRanking):
    r"""Average precision: the area under the precision-recall curve, made to fall.

    At recall r counts the best precision at r or beyond, $\max_{s \geq r} p(s)$. `points=None` takes all of
    the area from recall 0 (PASCAL VOC from 2010 on), 11 the mean over recalls 0, 0.1, …, 1 (VOC 2007), 101
    that over 0, 0.01, …, 1 (COCO); beyond the last recall precision is 0. Recalls are compared as fractions.
    Findings of one score count together. nan where there is nothing to be found.
    Errors: `UsageError` for shapes that do not fit, or fewer than two points.
    """

    def __init__(self, points: int | None = None):
        super().__init__()
        if points is not None and points < 2:
            raise UsageError(f"points are at least 2 (11 or 101 are usual), or None for all; not {points}")
        self.points = points

    def compute(self) -> Tensor:
        """The area, or the mean over the recalls."""
        _, true, found = falling(self.scores, self.hits)
        return area(true, found, self.truths, self.points)
