"""Losses over a batch's hardest: the batch-hard triplet loss and the quadruplet loss."""

import torch
from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from .embedding import AbstractEmbeddingLoss, distances, largest, log_one_plus, pairs, smallest


@method(
    "batch_hard_triplet",
    year=2017,
    paper="arXiv:1703.07737",
    topics=("classification", "metric-learning", "person-reidentification"),
)
class BatchHardTriplet(AbstractEmbeddingLoss):
    r"""Batch-hard triplet loss: each row's farthest of its own class against its nearest of another.

    $\log(1 + e^x)$ of $x = \max_p d_{ap} - \min_n d_{an}$, or $\max(0, x + m)$ where a `margin` $m$ is given.
    $d$ is the Euclidean distance, unsquared unless `squared`, of embeddings as they are unless `unit`. The
    mean is over rows that have both; batches should hold a few rows of each of a few classes.
    Shapes: embeddings (batch, width) and class numbers (batch,) -> a scalar.
    """

    def __init__(
        self,
        margin: float | None = None,
        squared: bool = False,
        unit: bool = False,
        reduction: str = "mean",
    ):
        super().__init__(unit, reduction)
        if margin is not None and not margin >= 0:
            raise UsageError(f"margin must be at least 0, or None for a soft one, not {margin}")
        self.margin, self.squared = margin, squared

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        distance = distances(self.points(embeddings), self.squared)
        positive, negative = pairs(labels)
        lag = largest(distance, positive) - smallest(distance, negative)  # (b,)
        losses = log_one_plus(lag) if self.margin is None else (lag + self.margin).relu()
        return self.over(losses, positive.any(1) & negative.any(1))


@method(
    "quadruplet_loss",
    year=2017,
    paper="arXiv:1704.01719",
    aliases=("quadruplet",),
    topics=("classification", "metric-learning", "person-reidentification"),
)
class QuadrupletLoss(AbstractEmbeddingLoss):
    r"""Quadruplet loss: a pair of one class is nearer than any pair of two classes, its own or not.

    For each ordered pair $(i, j)$ of one class: $\max(0, d_{ij}^2 - d_{ik}^2 + m_1)$ with $k$ the nearest row
    of another class, plus $\max(0, d_{ij}^2 - d_{kl}^2 + m_2)$ with $k, l$ the nearest rows of two classes
    which both differ from $i$'s; $m_1$ is `margin` and $m_2$ `second`, the smaller one. The paper adds up all
    quadruplets beyond a threshold that adapts, and learns $d$; here the hardest ones of the batch are taken.
    Shapes: embeddings (batch, width) and class numbers (batch,) -> a scalar.
    """

    def __init__(self, margin: float = 1.0, second: float = 0.5, unit: bool = True, reduction: str = "mean"):
        super().__init__(unit, reduction)
        if not margin >= second >= 0:
            raise UsageError(f"margin must be at least second, and both at least 0, not {margin}, {second}")
        self.margin, self.second = margin, second

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        distance = distances(self.points(embeddings))
        positive, negative = pairs(labels)
        near = smallest(distance, negative)
        elsewhere = _nearest_elsewhere(distance, labels, negative)
        first = (distance - near[:, None] + self.margin).relu()
        second = (distance - elsewhere[:, None] + self.second).relu()
        return self.over(first + second, positive)


def _nearest_elsewhere(distance: Tensor, labels: Tensor, negative: Tensor) -> Tensor:  # -> (b,)
    """For each row the least distance of two rows of two classes other than its own.

    Each row keeps its nearest row of another class, and its nearest of a third: without any one class, one of
    the two is still there.
    """
    high = torch.finfo(distance.dtype).max
    padded = torch.cat([distance.masked_fill(~negative, high), distance.new_full((len(labels), 1), high)], 1)
    first, place = padded.min(1)  # (b,)
    rival = torch.cat([labels, labels.new_full((1,), -1)])[place]  # the class of that nearest row
    second = smallest(distance, negative & (labels[None, :] != rival[:, None]))
    without = torch.where(labels[:, None] == rival, second, first)  # of row l, without the class of row i
    return smallest(without, negative)
