"""Unpaired batches: rows of two sets side by side, each set in an order of its own."""

from typing import Any

import torch
from torch import Tensor

from ...engine.randomness import generator


class Unpaired:
    """Batches of as many rows of one set as of another, drawn independently.

    Each set goes round in a new order each time, a function of (seed, set, round). An epoch is one round of
    the larger set.
    """

    draws = False  # the orders have generators of their own

    def __init__(self, sets: tuple[Tensor, Tensor], batch_size: int, seed: int):
        self.sets, self.seed = sets, seed
        self.batch_size = min(batch_size, *map(len, sets))
        self.steps_per_epoch = -(-max(map(len, sets)) // self.batch_size)
        self._orders: dict[tuple[int, int], Tensor] = {}

    def batch(self, step: int, turn: int = 0, learner: Any = None) -> tuple[Tensor, ...]:
        """The batch of a step, the same for all of its turns: rows of the first set, rows of the second."""
        return tuple(rows.index_select(0, self._chosen(k, step)) for k, rows in enumerate(self.sets))

    def _chosen(self, k: int, step: int) -> Tensor:
        """Row numbers of set k: the step's place in the sequence of its rounds."""
        size, start = len(self.sets[k]), step * self.batch_size
        first = start // size
        rounds = torch.cat([self._order(k, first), self._order(k, first + 1)])
        return rounds[start - first * size :][: self.batch_size]

    def _order(self, k: int, number: int) -> Tensor:
        if (k, number) not in self._orders:
            kept = {key: order for key, order in self._orders.items() if key[0] != k or key[1] == number - 1}
            drawn = torch.randperm(len(self.sets[k]), generator=generator(self.seed, "order", k, number))
            self._orders = kept | {(k, number): drawn.to(self.sets[k].device)}
        return self._orders[k, number]

    def state_dict(self) -> dict[str, Any]:
        """Nothing: (seed, step) tells everything."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to take back."""
