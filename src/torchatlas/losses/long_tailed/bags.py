"""Balanced group softmax: classes compete with those of about their own size."""

from collections.abc import Sequence
from itertools import accumulate, pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ..reduction import checked, reduced
from .sizes import fitting, learning, sizes_of


@method(
    "bags",
    year=2020,
    paper="arXiv:2006.10408",
    topics=("classification", "long-tail", "detection"),
    tiny={"class_counts": (500, 50, 5)},
)
class BAGS(nn.Module):
    r"""BAGS, balanced group softmax: one softmax for each group of classes of similar size, with "others".

    Classes are grouped by their training rows, cut at `bounds`: below 10, below 100, below 1000, and beyond.
    A group's scores are "others" and its classes; a row of another group's class is "others" there. The loss
    adds up the groups' cross entropies, each a mean over the rows that it keeps. While learning, a group
    keeps all m rows of its own and at most $\beta m$ of the others, drawn anew (`ratio` $\beta = 8$), none
    where m is 0; in evaluation mode it keeps all. A single group has no "others": it is the plain softmax.
    `background` adds a group of two, foreground and background, which keeps all rows; rows of the background
    have the class number that follows the last class.
    Shapes: scores (batch, `outputs`), the groups side by side, and class numbers (batch,) -> a scalar;
    (batch,) for `reduction="none"`, whose mean is that scalar.
    """

    batch_statistics = True  # which rows are kept depends on the whole batch
    places: Tensor
    columns: Tensor

    def __init__(
        self,
        class_counts: Sequence[int],
        bounds: int | Sequence[int] = (10, 100, 1000),
        ratio: float = 8.0,
        background: bool = False,
        reduction: str = "mean",
    ):
        super().__init__()
        bounds = (bounds,) if isinstance(bounds, int) else tuple(bounds)
        if ratio < 0 or list(bounds) != sorted(set(bounds)):
            raise UsageError(f"bounds rise and ratio is at least 0, not bounds={bounds}, ratio={ratio}")
        self.ratio, self.background, self.reduction = ratio, background, checked(reduction)
        groups = _grouped(class_counts, bounds)
        self.classes, alone = len(class_counts), len(groups) == 1 and not background
        self.sampled = [False] * background + [not alone] * len(groups)
        self.sizes = [2] * background + [len(group) + (not alone) for group in groups]
        self.outputs = sum(self.sizes)
        places = [[0] * len(self.sizes) for _ in range(self.classes + background)]  # "others", or foreground
        columns = [0] * self.classes
        starts = [0, *accumulate(self.sizes)]
        for g, group in enumerate(groups, start=int(background)):
            for k, c in enumerate(group, start=int(not alone)):
                places[c][g], columns[c] = k, starts[g] + k
        if background:
            places[-1][0] = 1
        self.register_buffer("places", torch.tensor(places))  # (classes, groups): a class within each softmax
        self.register_buffer("columns", torch.tensor(columns))  # (classes,): its own score

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        fitting(prediction, self.outputs, "bags")
        places = self.places[target]  # (b, groups)
        total = prediction.new_zeros(len(prediction))
        for g, scores in enumerate(prediction.split(self.sizes, 1)):
            losses = F.cross_entropy(scores, places[:, g], reduction="none")
            if self.sampled[g] and learning(self):
                losses = losses * self._weights(places[:, g] > 0).to(losses.dtype)
            total = total + losses
        return reduced(total, self.reduction)

    def _weights(self, own: Tensor) -> Tensor:  # (b,) -> (b,)
        """Of the rows that a group keeps batch by kept, of others 0: so the mean is that of the kept."""
        lot = torch.rand(own.shape, device=own.device) + 2 * own  # own rows come after all others
        rank = lot.argsort().argsort()
        kept = own | (rank < (self.ratio * own.sum()).floor())
        return kept * (len(own) / kept.sum().clamp_min(1))

    def probabilities(self, scores: Tensor) -> Tensor:  # (b, outputs) -> (b, classes), or one more
        """Of the classes (then the background), each within its group and times the foreground's; sum one."""
        log_p = torch.cat([part.log_softmax(1) for part in scores.split(self.sizes, 1)], 1)
        classes = log_p[:, self.columns]
        if self.background:
            classes = torch.cat([classes + log_p[:, :1], log_p[:, 1:2]], 1)
        return classes.softmax(1)


def _grouped(class_counts: Sequence[int], bounds: Sequence[int]) -> list[list[int]]:
    """The class numbers of each group that has any, rarest first."""
    sizes_of(class_counts)
    edges = (-1, *bounds, float("inf"))
    found = (
        [c for c, count in enumerate(class_counts) if max(low, 0) <= count < high]
        for low, high in pairwise(edges)
    )
    return [group for group in found if group]
