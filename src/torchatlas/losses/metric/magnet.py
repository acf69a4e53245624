"""The magnet loss: a row is nearer to its class's cluster than to the clusters of others."""

import torch
from torch import Tensor

from ...cards.card import method
from .embedding import AbstractEmbeddingLoss, log_sum, pairs


@method(
    "magnet_loss",
    year=2015,
    paper="arXiv:1511.05939",
    aliases=("magnet",),
    topics=("classification", "metric-learning"),
)
class MagnetLoss(AbstractEmbeddingLoss):
    r"""Magnet loss: a row's distance from its own cluster against those from the clusters of other classes.

    $\max(0, \alpha + d^2 + \log \sum_c e^{-d_c^2})$ with $d^2 = \|x - \mu\|^2 / (2 \sigma^2)$, $d_c$ alike,
    over the clusters $c$ of other classes; $\sigma^2$ is the mean squared distance from one's own cluster.
    The mean is over rows. The paper keeps several clusters per class, found by k-means over all data before
    each epoch; here each class is one cluster, the mean of its rows in the batch.
    Shapes: embeddings (batch, width) and class numbers (batch,) -> a scalar.
    """

    def __init__(self, alpha: float = 1.0, unit: bool = False, reduction: str = "mean"):
        super().__init__(unit, reduction)
        self.alpha = alpha

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        points = self.points(embeddings)
        share = (labels[:, None] == labels).to(points)
        share = share / share.sum(1, keepdim=True)  # of each row in the mean of its class
        means = share @ points  # (b, d), each row its class's
        far = (points[:, None] - means[None]).square().sum(2)  # (b, b)
        spread = far.diagonal().sum() / max(len(points) - 1, 1)
        squares, info = points.detach().square().sum(), torch.finfo(far.dtype)
        least = info.eps * squares / max(len(points), 1) + info.tiny
        near = -far / (2 * spread.clamp_min(least))
        negative = pairs(labels)[1]
        others = log_sum(near + share.diagonal().log(), negative)  # each other cluster once
        losses = (others - near.diagonal() + self.alpha).relu()
        return self.over(losses, negative.any(1))
