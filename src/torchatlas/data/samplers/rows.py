"""What samplers by class share: which rows each class has."""

from typing import Any

import torch
from torch import Tensor

from ...engine.errors import UsageError


class RowsByClass:
    """The rows of each class, from class numbers (rows,); `counts` says how many they are.

    Raises UsageError for what is no class numbers; `wanted_by` is who asks.
    """

    def __init__(self, labels: Any, wanted_by: str):
        labels = torch.as_tensor(labels).detach().cpu()
        if labels.ndim != 1 or labels.is_floating_point() or not len(labels):
            raise UsageError(f"{wanted_by} needs class numbers (rows,), not {tuple(labels.shape)}")
        self.counts = torch.bincount(labels)  # (classes,)
        self._sorted = labels.argsort(stable=True)
        self._first = self.counts.cumsum(0) - self.counts

    def __len__(self) -> int:
        return len(self._sorted)

    @property
    def present(self) -> Tensor:
        """The numbers of the classes that have rows."""
        return torch.nonzero(self.counts).flatten()

    def of(self, number: int) -> Tensor:
        """All rows of a class."""
        return self._sorted[self._first[number] : self._first[number] + self.counts[number]]

    def drawn(self, classes: Tensor, draw: torch.Generator) -> Tensor:
        """A row of each of these classes, any of a class's rows alike."""
        place = torch.rand(len(classes), dtype=torch.double, generator=draw) * self.counts[classes]
        return self._sorted[self._first[classes] + place.long()]


class AbstractByClass:
    """A sampler of rows by their class. `order(epoch)` has `rows` numbers, by (seed, epoch) alone."""

    __atlas__: str  # the name of its card
    shares: Tensor  # (classes,): how often each class is drawn

    def __init__(self, labels: Any, seed: int = 0):
        self.by_class = RowsByClass(labels, self.__atlas__)
        self.seed, self.rows = seed, len(self.by_class)

    def shares_in(self, epoch: int) -> Tensor:  # -> (classes,)
        """How often each class is drawn in one epoch."""
        return self.shares

    def order(self, epoch: int) -> Tensor:  # -> (rows,)
        """The row numbers of an epoch, in order."""
        raise NotImplementedError
