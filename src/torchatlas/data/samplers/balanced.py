"""Class-balanced sampling: a class is drawn first, then a row of it."""

import torch
from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from ...engine.randomness import generator


@method("class_balanced_sampling", year=2019, paper="arXiv:1910.09217", topics=("long-tail", "sampling"))
class ClassBalanced:
    r"""Class-balanced sampling: each class with the same probability, then each of its rows.

    In general class $j$ of $n_j$ rows is drawn with $p_j = n_j^q / \sum_i n_i^q$: `power` $q = 0$ balances
    the classes, $\frac12$ is square-root sampling, 1 leaves them as they are. Rows are drawn with
    replacement; an epoch has as many as the data, and is a function of (seed, epoch).
    """

    def __init__(self, labels: Tensor, seed: int = 0, power: float = 0.0):
        labels = torch.as_tensor(labels).detach().cpu()
        if labels.ndim != 1 or labels.is_floating_point() or not len(labels):
            raise UsageError(
                f"class-balanced sampling needs class numbers (rows,), not {tuple(labels.shape)}"
            )
        self.seed, self.rows = seed, len(labels)
        self._counts = torch.bincount(labels)
        self._sorted = labels.argsort(stable=True)
        self._first = self._counts.cumsum(0) - self._counts
        weight = torch.where(self._counts > 0, self._counts.double() ** power, 0.0)
        self.shares = weight / weight.sum()  # (classes,): how often each is drawn

    def order(self, epoch: int) -> Tensor:  # -> (rows,)
        """The row numbers of an epoch, in order."""
        draw = generator(self.seed, "order", epoch)
        classes = torch.multinomial(self.shares, self.rows, replacement=True, generator=draw)
        place = torch.rand(self.rows, dtype=torch.double, generator=draw) * self._counts[classes]
        return self._sorted[self._first[classes] + place.long()]
