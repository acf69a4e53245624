"""Triplet losses: a sample is nearer to its own class than to another by a margin; and their miner."""

from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from .embedding import AbstractEmbeddingLoss, distances, pairs


@method(
    "hard_negative_mining",
    kind="tool",
    year=2015,
    paper="arXiv:1503.03832",
    topics=("metric-learning",),
)
class TripletMiner:
    r"""Hard negative mining: which triplets (anchor, positive, negative) of a batch teach.

    One of the kinds "easy", "semi_hard", "hard" or "all".
    hard: $d_{an} \leq d_{ap}$; semi-hard: $d_{ap} < d_{an} < d_{ap} + m$; easy: farther, with nothing left to
    learn. The three part all triplets of two different samples of one class and one of another.
    """

    KINDS = ("easy", "semi_hard", "hard", "all")

    def __init__(self, kind: str = "semi_hard", margin: float = 0.2):
        if kind not in self.KINDS:
            raise UsageError(f"triplets are mined as one of {', '.join(self.KINDS)}, not {kind!r}")
        self.kind, self.margin = kind, margin

    def __call__(self, distance: Tensor, labels: Tensor) -> Tensor:  # (b, b), (b,) -> (b, b, b)
        """Whether (anchor, positive, negative) is taken, from the distances of all pairs."""
        positive, negative = pairs(labels)
        mask = positive[:, :, None] & negative[:, None, :]
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
        return self.over(self.hinges(distance), self.miner(distance, labels))

    def hinges(self, distance: Tensor) -> Tensor:  # (b, b) -> (b, b, b)
        """What each anchor, positive and negative cost, from the distances of all pairs."""
        return (distance[:, :, None] - distance[:, None, :] + self.margin).relu()


@method(
    "improved_triplet",
    year=2016,
    paper="Cheng et al., CVPR",
    topics=("classification", "metric-learning", "person-reidentification"),
)
class ImprovedTriplet(TripletLoss):
    r"""Improved triplet loss: the triplet loss, and a cost for every positive farther than an inner margin.

    To $\max(0, d_{ap}^2 - d_{an}^2 + m)$ it adds $\beta \max(0, d_{ap}^2 - m')$ with $\beta$ `weight` and
    $m'$ `inner`, so that classes are small in themselves, not only smaller than their distance from others.
    All triplets of a batch are taken.
    """

    def __init__(
        self,
        margin: float = 1.0,
        inner: float = 0.01,
        weight: float = 0.002,
        squared: bool = True,
        unit: bool = True,
        reduction: str = "mean",
    ):
        super().__init__(margin, "all", squared, unit, reduction)
        if not (inner >= 0 and weight >= 0):
            raise UsageError(f"inner and weight must be at least 0, not {inner} and {weight}")
        self.inner, self.weight = inner, weight

    def hinges(self, distance: Tensor) -> Tensor:  # (b, b) -> (b, b, b)
        """The triplets' hinges, and their positives' own."""
        return super().hinges(distance) + self.weight * (distance - self.inner).relu()[:, :, None]
