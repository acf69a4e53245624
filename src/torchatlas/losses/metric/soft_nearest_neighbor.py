"""The soft nearest neighbour loss: how surely a row's neighbour, drawn by distance, is of its class."""

from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from .embedding import AbstractEmbeddingLoss, distances, log_sum, pairs


@method(
    "soft_nearest_neighbor",
    year=2019,
    paper="arXiv:1902.01889",
    aliases=("soft_nearest_neighbour",),
    topics=("classification", "metric-learning"),
)
class SoftNearestNeighbor(AbstractEmbeddingLoss):
    r"""Soft nearest neighbour loss: the surprise that a neighbour, drawn by distance, is of the same class.

    $-\log(\sum_p e^{-d_{ap}^2 / T} / \sum_k e^{-d_{ak}^2 / T})$ of a row $a$, where $p$ runs over the other
    rows of its class and $k$ over all other rows; $T$ is `temperature`. The mean is over rows that have
    another of their class. Low where classes lie apart; the paper also makes it large, in hidden layers.
    Shapes: embeddings (batch, width) and class numbers (batch,) -> a scalar.
    """

    def __init__(self, temperature: float = 1.0, unit: bool = False, reduction: str = "mean"):
        super().__init__(unit, reduction)
        if not temperature > 0:
            raise UsageError(f"temperature must be above 0, not {temperature}")
        self.temperature = temperature

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        near = -distances(self.points(embeddings)) / self.temperature  # (b, b)
        positive, negative = pairs(labels)
        losses = log_sum(near, positive | negative) - log_sum(near, positive)
        return self.over(losses, positive.any(1))
