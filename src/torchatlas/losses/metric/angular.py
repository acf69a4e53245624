"""The angular loss: bounds the angle at the negative of a triplet."""

import math

from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from .embedding import AbstractEmbeddingLoss, distances, log_one_plus, log_sum, pairs


@method("angular_loss", year=2017, paper="arXiv:1708.01682", topics=("classification", "metric-learning"))
class AngularLoss(AbstractEmbeddingLoss):
    r"""Angular loss: seen from a negative, the two rows of a pair lie under a small angle.

    For a triplet: $\max(0, \|a - p\|^2 - 4 \tan^2\alpha\,\|n - (a + p) / 2\|^2)$, with $\alpha$ `angle` in
    degrees. By default, `smooth`, all negatives of a pair count at once as in the paper's batches,
    $\log(1 + \sum_n e^{f_n})$ with $f_n = 4 \tan^2\alpha\,(a + p)^T n - 2 (1 + \tan^2\alpha)\,a^T p$, a mean
    over pairs; otherwise it is the mean of the hinges of all triplets.
    Shapes: embeddings (batch, width) and class numbers (batch,) -> a scalar. Memory grows with batch cubed.
    """

    def __init__(self, angle: float = 45.0, smooth: bool = True, unit: bool = True, reduction: str = "mean"):
        super().__init__(unit, reduction)
        if not 0 < angle < 90:
            raise UsageError(f"angle must be between 0 and 90 degrees, not {angle}")
        self.steepness, self.smooth = math.tan(math.radians(angle)) ** 2, smooth

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        points, t = self.points(embeddings), self.steepness
        positive, negative = pairs(labels)
        if self.smooth:
            dot = points @ points.mT
            f = 4 * t * (dot[:, None] + dot[None]) - 2 * (1 + t) * dot[:, :, None]  # (a, p, n)
            return self.over(log_one_plus(log_sum(f, negative[:, None, :])), positive)
        far = distances(points)
        middle = (far[:, None] + far[None]) / 2 - far[:, :, None] / 4  # |n - (a + p) / 2|^2, by parallelogram
        hinges = (far[:, :, None] - 4 * t * middle).relu()
        return self.over(hinges, positive[:, :, None] & negative[:, None, :])
