"""The contrastive loss: pairs of one class together, pairs of two a margin apart."""

import torch
from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from .embedding import AbstractEmbeddingLoss, distances


@method(
    "contrastive_loss",
    year=2006,
    paper="Hadsell, Chopra & LeCun, CVPR",
    aliases=("metric_pos_neg",),
    topics=("classification", "metric-learning", "faces"),
)
class ContrastiveLoss(AbstractEmbeddingLoss):
    r"""Contrastive loss: $d^p / 2$ for two rows of one class, $\max(0, m - d)^p / 2$ for two classes.

    $d$ is the Euclidean distance, $m$ `margin` and $p$ `power`: 2 as in the paper, or 1. The mean is over all
    pairs of different rows, each pair once. The embeddings are compared as they are, unless `unit`.
    Shapes: embeddings (batch, width) and class numbers (batch,) -> a scalar.
    """

    def __init__(self, margin: float = 1.0, power: float = 2.0, unit: bool = False, reduction: str = "mean"):
        super().__init__(unit, reduction)
        if not margin > 0 or not power >= 1:
            raise UsageError(f"margin must be above 0 and power at least 1, not {margin} and {power}")
        self.margin, self.power = margin, power

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        far = distances(self.points(embeddings), squared=False)  # (b, b)
        gap = torch.where(labels[:, None] == labels, far, (self.margin - far).relu())
        once = torch.ones_like(far, dtype=torch.bool).triu(1)
        return self.over(gap.pow(self.power) / 2, once)
