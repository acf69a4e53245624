"""Over- and under-sampling: every class has as many rows as the largest, or as the smallest."""

import torch
from torch import Tensor

from ...cards.card import method
from ...engine.randomness import generator
from .balanced import powered
from .rows import AbstractByClass


class AbstractResampled(AbstractByClass):
    """As many rows of each class that has any; `_several` says which."""

    def __init__(self, labels: Tensor, seed: int = 0):
        super().__init__(labels, seed)
        self.shares = powered(self.by_class.counts, 0.0)
        counts = self.by_class.counts
        self.each = self._each(counts[counts > 0])
        self.rows = self.each * len(self.by_class.present)

    def _each(self, counts: Tensor) -> int:
        """How many rows of each class, from the counts of those that have any."""
        raise NotImplementedError

    def _several(self, number: int, draw: torch.Generator) -> Tensor:
        """`each` rows of a class."""
        raise NotImplementedError

    def order(self, epoch: int) -> Tensor:  # -> (rows,)
        """The row numbers of an epoch, in order."""
        draw = generator(self.seed, "order", epoch)
        rows = torch.cat([self._several(number, draw) for number in self.by_class.present.tolist()])
        return rows[torch.randperm(len(rows), generator=draw)]


@method(
    "random_over_sampling",
    year=2002,
    paper="Japkowicz and Stephen, The class imbalance problem, Intelligent Data Analysis 6",
    topics=("long-tail", "sampling"),
)
class RandomOverSampling(AbstractResampled):
    r"""Random over-sampling: rows of smaller classes come again until each class has $n_{\max}$.

    All rows of a class come once, then others of its rows, drawn with replacement anew in each epoch, which
    has $C \, n_{\max}$ rows for C classes that have any.
    """

    def _each(self, counts: Tensor) -> int:
        return int(counts.max())

    def _several(self, number: int, draw: torch.Generator) -> Tensor:
        own = self.by_class.of(number)
        again = torch.randint(len(own), (self.each - len(own),), generator=draw)
        return torch.cat([own, own[again]])


@method(
    "random_under_sampling",
    year=2002,
    paper="Japkowicz and Stephen, The class imbalance problem, Intelligent Data Analysis 6",
    topics=("long-tail", "sampling"),
)
class RandomUnderSampling(AbstractResampled):
    r"""Random under-sampling: $n_{\min}$ rows of each class, without replacement.

    They are drawn anew in each epoch, which has $C \, n_{\min}$ rows for C classes that have any, each at
    most once; $n_{\min}$ is the size of the smallest of them.
    """

    def _each(self, counts: Tensor) -> int:
        return int(counts.min())

    def _several(self, number: int, draw: torch.Generator) -> Tensor:
        own = self.by_class.of(number)
        return own[torch.randperm(len(own), generator=draw)[: self.each]]
