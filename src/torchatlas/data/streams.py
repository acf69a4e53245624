"""Several parts at once: each step takes rows of every one, such as labelled and unlabelled samples."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..engine.randomness import generator
from .spec import Part


class Streams:
    """Batches that hold rows of each part, `sizes[k]` of part k, each in its own order of (seed, round).

    Parts are gone round at their own pace. An epoch is one round of the part that takes longest.
    """

    draws = False

    def __init__(self, parts: Sequence[Part], sizes: Sequence[int], seed: int, device: Any = "cpu"):
        self.parts = [part.to(device).tensors() for part in parts]
        self.lengths = [len(part) for part in parts]
        self.sizes, self.seed, self.device = list(sizes), seed, device
        self.steps_per_epoch = max(-(-n // size) for n, size in zip(self.lengths, self.sizes, strict=True))
        self._orders: dict[tuple[int, int], Tensor] = {}

    def batch(self, step: int, turn: int = 0, learner: Any = None) -> tuple[Tensor, ...]:
        """The tensors of each part's rows, one part after the other."""
        chosen = [self._rows(k, step) for k in range(len(self.parts))]
        return tuple(t.index_select(0, rows) for part, rows in zip(self.parts, chosen) for t in part)

    def _rows(self, k: int, step: int) -> Tensor:
        """The rows of part k in a step: `sizes[k]` in a row of its endless sequence of shuffled rounds."""
        length, first = self.lengths[k], step * self.sizes[k]
        last = first + self.sizes[k]
        rounds = range(first // length, (last - 1) // length + 1)
        row = torch.cat([self._order(k, r) for r in rounds])
        start = first - rounds[0] * length
        return row[start : start + self.sizes[k]]

    def _order(self, k: int, round_: int) -> Tensor:
        if (k, round_) not in self._orders:
            for old in [key for key in self._orders if key[0] == k and key[1] < round_ - 1]:
                del self._orders[old]
            draw = generator(self.seed, "stream", k, round_)
            self._orders[k, round_] = torch.randperm(self.lengths[k], generator=draw).to(self.device)
        return self._orders[k, round_]

    def state_dict(self) -> dict[str, Any]:
        """Nothing: (seed, step) tells everything."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to take back."""
