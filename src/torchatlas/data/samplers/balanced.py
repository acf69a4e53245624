"""Sampling with replacement: a class is drawn first, then a row of it."""

import torch
from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from ...engine.randomness import generator
from .rows import AbstractByClass


@method("class_balanced_sampling", year=2019, paper="arXiv:1910.09217", topics=("long-tail", "sampling"))
class ClassBalanced(AbstractByClass):
    r"""Class-balanced sampling: each class with the same probability, then each of its rows.

    In general class $j$ of $n_j$ rows is drawn with $p_j = n_j^q / \sum_i n_i^q$: `power` $q = 0$ balances
    the classes, $\frac12$ is square-root sampling, 1 leaves them as they are. Rows are drawn with
    replacement; an epoch has as many as the data, and is a function of (seed, epoch).
    """

    def __init__(self, labels: Tensor, seed: int = 0, power: float = 0.0):
        super().__init__(labels, seed)
        self.shares = powered(self.by_class.counts, power)  # (classes,): how often each is drawn

    def order(self, epoch: int) -> Tensor:  # -> (rows,)
        """The row numbers of an epoch, in order."""
        draw = generator(self.seed, "order", epoch)
        shares = self.shares_in(epoch)
        classes = torch.multinomial(shares, self.rows, replacement=True, generator=draw)
        return self.by_class.drawn(classes, draw)


@method("reversed_sampling", year=2019, paper="arXiv:1912.02413", topics=("long-tail", "sampling"))
class ReversedSampling(ClassBalanced):
    r"""Reversed sampling: the rarer a class, the more often it is drawn, $p_j = w_j / \sum_i w_i$.

    $w_j = n_{\max} / n_j$, so that $p_j$ goes as $1 / n_j$; then each row of the class alike, with
    replacement.
    """

    def __init__(self, labels: Tensor, seed: int = 0):
        super().__init__(labels, seed, power=-1.0)


@method(
    "progressively_balanced_sampling",
    year=2019,
    paper="arXiv:1910.09217",
    topics=("long-tail", "sampling"),
    tiny={"epochs": 100},
)
class ProgressivelyBalanced(ClassBalanced):
    r"""Progressively balanced sampling: from classes as they come to classes alike, over the epochs.

    $p_j(t) = (1 - t/T) \, n_j / n + (t/T) / C$ in epoch t, for T `epochs` and C classes that have rows; from
    epoch T on the classes are balanced. Rows are drawn with replacement.
    """

    def __init__(self, labels: Tensor, seed: int = 0, epochs: int = 30):
        if epochs < 1:
            raise UsageError(f"epochs={epochs}: sampling becomes balanced over at least one epoch")
        super().__init__(labels, seed)
        self.epochs = epochs

    def shares_in(self, epoch: int) -> Tensor:  # -> (classes,)
        """How often each class is drawn in an epoch."""
        t = min(epoch / self.epochs, 1.0)
        return (1 - t) * powered(self.by_class.counts, 1.0) + t * self.shares


def powered(counts: Tensor, power: float) -> Tensor:  # (classes,) -> (classes,)
    """Shares that go as a power of the counts; classes without rows have none."""
    weight = torch.where(counts > 0, counts.double() ** power, 0.0)
    return weight / weight.sum()
