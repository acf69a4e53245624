"""Decoupling by nearest class means: what is learned are the features, and a class is where its rows lie."""

from typing import TYPE_CHECKING, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...data.streamed import source_of
from ...engine.learner import Batch, Source
from .decoupling import AbstractDecoupled

if TYPE_CHECKING:
    from ...data.prepared import Prepared

UNSEEN = -1e4  # the score of a class of which no row was seen


class ClassMeans(nn.Module):
    r"""Scores by the distance to class means, $-s \|x - m_c\|^2$; s is learned, the means are counted.

    `note` keeps a batch aside, `commit` adds it to the means; scores know the batch that is kept aside.
    """

    sums: Tensor
    counts: Tensor
    new_sums: Tensor
    new_counts: Tensor

    def __init__(self, features: int, classes: int):
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(()))
        for name in ("sums", "new_sums"):
            self.register_buffer(name, torch.zeros(classes, features))
        for name in ("counts", "new_counts"):
            self.register_buffer(name, torch.zeros(classes))

    @torch.no_grad()
    def note(self, features: Tensor, target: Tensor) -> None:
        """Keep the sums of a batch aside."""
        labels = F.one_hot(target, len(self.counts)).to(self.sums.dtype)  # (b, k)
        self.new_sums.copy_(labels.mT @ features.to(self.sums.dtype))
        self.new_counts.copy_(labels.sum(0))

    @torch.no_grad()
    def commit(self) -> None:
        """Take up what was kept aside."""
        self.sums.add_(self.new_sums)
        self.counts.add_(self.new_counts)
        self.new_sums.zero_()
        self.new_counts.zero_()

    def forward(self, features: Tensor) -> Tensor:  # (b, d) -> (b, k)
        counts = self.counts + self.new_counts
        means = (self.sums + self.new_sums) / counts.clamp_min(1)[:, None]  # (k, d)
        far = (features[:, None] - means).square().mean(2)
        return torch.where(counts > 0, -self.log_scale.exp() * far, UNSEEN)


@method(
    "decoupling_ncm",
    year=2019,
    paper="arXiv:1910.09217",
    topics=("classification", "long-tail"),
    recipe={"optimizer": "adam", "lr": 0.003, "batch_size": 64, "epochs": 30},
    tiny={"share": 0.3},
)
class DecouplingNCM(AbstractDecoupled):
    r"""Decoupling by nearest class means: a row belongs where the mean of its features is nearest.

    First the whole network learns from rows as they come, by cross entropy. Then it stands still, and the
    means of each class's features are taken over the rows that the second stage sees: all of them, if it
    lasts an epoch. Scores are $-s$ times the mean squared difference; s alone is learned there, and changes
    no answer.
    """

    cuttable: ClassVar[bool] = False  # the means are those of whole batches

    def __init__(self, network: nn.Module, share: float = 0.3):
        super().__init__(network, share)
        self.classifier = ClassMeans(self.head.in_features, self.head.out_features)

    def second_source(
        self, data: "Prepared", labels: Tensor, batch_size: int, seed: int, device: Any
    ) -> Source:
        """Rows as they come."""
        return source_of(data.train, batch_size, seed, device)

    def loss(self, player: str, batch: Batch) -> Tensor:
        """The stage's mean cross entropy."""
        if player == "network":
            return super().loss(player, batch)
        features = self.still_features(batch[0])
        self.means.note(features, batch[1])
        return F.cross_entropy(self.classify(features), batch[1])

    def updated(self, player: str, step: int) -> None:
        """Take the batch up into the means."""
        super().updated(player, step)
        if player == "classifier":
            self.means.commit()

    @property
    def means(self) -> ClassMeans:
        """The means of the classes' features."""
        assert isinstance(self.classifier, ClassMeans)
        return self.classifier
