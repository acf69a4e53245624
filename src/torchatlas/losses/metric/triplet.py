"""The triplet loss: a sample is nearer to its own class than to another by a margin; and its miner."""

import torch
from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from .embedding import AbstractEmbeddingLoss, distances


class TripletMiner:
    r"""Which triplets (anchor, positive, negative) of a batch teach: "easy", "semi_hard", "hard" or "all".

    hard: $d_{an} \le d_{ap}$; semi-hard: $d_{ap} < d_{an} < d_{ap} + m$; easy: farther, with nothing left to
    learn. The three part all triplets of two different samples of one class and one of another.
    """

    KINDS = ("easy", "semi_hard", "hard", "all")

    def __init__(self, kind: str = "semi_hard", margin: float = 0.2):
        if kind not in self.KINDS:
            raise UsageError(f"triplets are mined as one of {', '.join(self.KINDS)}, not {kind!r}")
        self.kind, self.margin = kind, margin

    def __call__(self, distance: Tensor, labels: Tensor) -> Tensor:  # (b, b), (b,) -> (b, b, b)
        """Whether (anchor, positive, negative) is taken, from the distances of all pairs."""
        same = labels[:, None] == labels
        other = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        mask = other[:, :, None] & ~same[:, None, :]
        lead = distance.detach()[:, None, :] - distance.detach()[:, :, None]  # d_an - d_ap
        match self.kind:
            case "easy":
                return mask & (lead >= self.margin)
            case "semi_hard":
                return mask & (lead > 0) & (lead < self.margin)
            case "hard":
                return mask & (lead <= 0)
        return mask


@method(
    "triplet_loss", year=2015, paper="arXiv:1503.03832", topics=("classification", "metric-learning", "faces")
)
class TripletLoss(AbstractEmbeddingLoss):
    r"""Triplet loss: $\max(0, d_{ap}^2 - d_{an}^2 + m)$, averaged over the triplets that are mined.

    The embeddings are put on the unit sphere (`unit`), the distances are squared (`squared`), and `mining` is
    "semi_hard" (the default), "hard", "easy" or "all": see `TripletMiner`, which sees the same distances. A
    batch without such a triplet has loss 0. PyTorch's own takes triplets already chosen and distances
    unsquared.
    Shapes: embeddings (batch, width) and class numbers (batch,) -> a scalar. Memory grows with batch cubed.
    """

    def __init__(
        self,
        margin: float = 0.2,
        mining: str = "semi_hard",
        squared: bool = True,
        unit: bool = True,
        reduction: str = "mean",
    ):
        super().__init__(unit, reduction)
        if not margin >= 0:
            raise UsageError(f"margin must be at least 0, not {margin}")
        self.margin, self.squared = margin, squared
        self.miner = TripletMiner(mining, margin)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        distance = distances(self.points(embeddings), self.squared)
        mined = self.miner(distance, labels)  # (b, b, b)
        hinge = (
            distance[:, :, None] - distance[:, None, :] + self.margin
        ).relu()  # anchor, positive, negative
        total = torch.where(mined, hinge, 0.0).sum()
        return total / mined.sum().clamp_min(1) if self.reduction == "mean" else total
