"""What losses over embeddings share: where embeddings lie, and how far they are apart."""

from abc import abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...engine.errors import UsageError


class AbstractEmbeddingLoss(nn.Module):
    """A loss over embeddings (batch, width) and class numbers (batch,), which compares rows with each other.

    `unit` puts the embeddings on the unit sphere before they are compared.
    """

    def __init__(self, unit: bool = True, reduction: str = "mean"):
        super().__init__()
        if reduction not in ("mean", "sum"):
            raise UsageError(f"reduction is 'mean' or 'sum' for a loss over pairs of rows, not {reduction!r}")
        self.unit, self.reduction = unit, reduction

    def points(self, embeddings: Tensor) -> Tensor:
        """The embeddings where they are compared: on the unit sphere, or as they are."""
        return F.normalize(embeddings, dim=1) if self.unit else embeddings

    @abstractmethod
    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch: a scalar."""


def distances(points: Tensor, squared: bool = True) -> Tensor:  # (b, d) -> (b, b)
    """Euclidean distances of all pairs, squared or not; exactly zero on the diagonal, gradients finite."""
    far = (points[:, None] - points[None]).square().sum(2)
    return far if squared else far.clamp_min(torch.finfo(far.dtype).tiny).sqrt()
