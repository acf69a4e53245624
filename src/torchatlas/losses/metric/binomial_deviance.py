"""Binomial deviance: a logistic cost of every pair's cosine."""

import torch
from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from .embedding import AbstractEmbeddingLoss, log_one_plus, pairs


@method(
    "binomial_deviance",
    year=2014,
    paper="arXiv:1407.4979",
    topics=("classification", "metric-learning"),
)
class BinomialDeviance(AbstractEmbeddingLoss):
    r"""Binomial deviance: $\log(1 + e^{-\alpha m (s - \beta)})$ of every pair, a cost of its cosine $s$.

    $m$ is 1 for two rows of one class and $-c$ for two classes, where $c$ (`cost`) makes up for the many of
    these. The mean of each kind of pair is taken by itself, and both are added up.
    Shapes: embeddings (batch, width) and class numbers (batch,) -> a scalar.
    """

    def __init__(self, alpha: float = 2.0, beta: float = 0.5, cost: float = 25.0, reduction: str = "mean"):
        super().__init__(unit=True, reduction=reduction)
        if not (alpha > 0 and cost > 0):
            raise UsageError(f"alpha and cost must be above 0, not {alpha} and {cost}")
        self.alpha, self.beta, self.cost = alpha, beta, cost

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        points = self.points(embeddings)
        score = self.alpha * (points @ points.mT - self.beta)  # (b, b)
        positive, negative = pairs(labels)
        near = _mean(log_one_plus(-score), positive)
        return self.of_batch(near + _mean(log_one_plus(self.cost * score), negative), len(labels))


def _mean(losses: Tensor, chosen: Tensor) -> Tensor:
    return torch.where(chosen, losses, 0.0).sum() / chosen.sum().clamp_min(1)
