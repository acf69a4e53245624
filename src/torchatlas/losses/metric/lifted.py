"""The lifted structured loss: a pair against all negatives of both of its rows."""

import torch
from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from .embedding import AbstractEmbeddingLoss, distances, log_sum, pairs


@method(
    "lifted_structured", year=2015, paper="arXiv:1511.06452", topics=("classification", "metric-learning")
)
class LiftedStructured(AbstractEmbeddingLoss):
    r"""Lifted structured loss: $\max(0, J_{ij})^2 / 2$ of each pair of one class, averaged over pairs.

    $J_{ij} = d_{ij} + \log(\sum_k e^{m - d_{ik}} + \sum_l e^{m - d_{jl}})$ over rows $k, l$ of other classes,
    a smooth form of the two rows' nearest negatives; $m$ is `margin` and $d$ the Euclidean distance, of
    embeddings as they are unless `unit`.
    Shapes: embeddings (batch, width) and class numbers (batch,) -> a scalar.
    """

    def __init__(self, margin: float = 1.0, unit: bool = False, reduction: str = "mean"):
        super().__init__(unit, reduction)
        if not margin >= 0:
            raise UsageError(f"margin must be at least 0, not {margin}")
        self.margin = margin

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        far = distances(self.points(embeddings), squared=False)  # (b, b)
        positive, negative = pairs(labels)
        crowd = log_sum(self.margin - far, negative)  # (b,)
        lag = far + torch.logaddexp(crowd[:, None], crowd)
        return self.over(lag.relu().square() / 2, positive)
