"""The histogram loss: how often a pair of two classes is more alike than a pair of one."""

import torch
from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from .embedding import AbstractEmbeddingLoss, pairs


@method("histogram_loss", year=2016, paper="arXiv:1611.00822", topics=("classification", "metric-learning"))
class HistogramLoss(AbstractEmbeddingLoss):
    r"""Histogram loss: the chance that a pair of two classes has a larger cosine than a pair of one.

    $\sum_r h^-_r \sum_{q \leq r} h^+_q$, of the two kinds' histograms of cosines over the nodes of `bins`
    equal bins of -1..1. Each cosine is shared between the two nodes beside it, the more the nearer, so that
    there is a gradient.
    Shapes: embeddings (batch, width) and class numbers (batch,) -> a scalar.
    """

    def __init__(self, bins: int = 150, reduction: str = "mean"):
        super().__init__(unit=True, reduction=reduction)
        if bins < 1:
            raise UsageError(f"bins must be at least 1, not {bins}")
        self.bins = bins

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        points = self.points(embeddings)
        place = ((points @ points.mT).clamp(-1, 1) + 1) * (self.bins / 2)  # (b, b), in units of bins
        one, two = (self._histogram(place, chosen) for chosen in pairs(labels))
        up_to = torch.ones(self.bins + 1, self.bins + 1, dtype=one.dtype, device=one.device).tril()
        return self.of_batch((two * (up_to @ one)).sum(), len(labels))

    def _histogram(self, place: Tensor, chosen: Tensor) -> Tensor:  # (b, b) -> (bins + 1,)
        """The shares of the chosen pairs at each node; zeros where none is chosen."""
        low = place.detach().long().clamp(0, self.bins - 1)
        above = place - low
        each = chosen.to(place.dtype) / chosen.sum().clamp_min(1)
        nodes = place.new_zeros(self.bins + 1)
        nodes = nodes.index_add(0, low.flatten(), (each * (1 - above)).flatten())
        return nodes.index_add(0, low.flatten() + 1, (each * above).flatten())
