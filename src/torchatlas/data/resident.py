"""Data that fits in memory: the whole part stays on the device as tensors and is sliced by index."""

from typing import Any

import torch
from torch import Tensor

from ..engine.errors import UsageError
from ..engine.randomness import generator
from .spec import Part


class Shuffled:
    """Which rows a step has: a function of (seed, epoch), whatever ran before.

    The last batch of an epoch may be short. A batch size of at least the number of rows gives all rows in
    their own order. With a sampler, its `order(epoch)` says which rows an epoch has, `rows` in number (as
    many as the data, where it does not say); without one it has each row once.
    """

    draws = False  # the order has a generator of its own

    def __init__(self, rows: int, batch_size: int, seed: int, sampler: Any = None):
        if batch_size < 1 or not rows:
            raise UsageError(f"cannot make batches of {batch_size} from {rows} rows; both must be at least 1")
        self.seed, self.rows, self.sampler = seed, getattr(sampler, "rows", rows), sampler
        self.batch_size = min(batch_size, self.rows)
        self.steps_per_epoch = -(-self.rows // self.batch_size)
        self._epoch, self._chunks = -1, ()  # type: tuple[int, tuple[Tensor, ...]]

    @property
    def whole(self) -> bool:
        """Whether each step has all rows in their own order."""
        return self.steps_per_epoch == 1 and self.sampler is None

    def order(self, epoch: int) -> Tensor:
        """The rows in the order of an epoch."""
        if self.sampler is not None:
            return self.sampler.order(epoch)
        return torch.randperm(self.rows, generator=generator(self.seed, "order", epoch))

    def chosen(self, step: int) -> Tensor:
        """The rows of a step."""
        if self.whole:
            return torch.arange(self.rows)
        epoch, place = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._chunks = torch.split(self.order(epoch), self.batch_size)
            self._epoch = epoch
        return self._chunks[place]

    def state_dict(self) -> dict[str, Any]:
        """Nothing: (seed, step) tells everything."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to take back."""


class Resident(Shuffled):
    """Batches of a part that lies on the device; all turns of a step get the same batch.

    The whole part, where a step has it, is not copied.
    """

    def __init__(self, part: Part, batch_size: int, seed: int, device: Any = "cpu", sampler: Any = None):
        super().__init__(len(part), batch_size, seed, sampler)
        self.tensors, self.device = part.to(device).tensors(), device

    def batch(self, step: int, turn: int = 0, learner: Any = None) -> tuple[Tensor, ...]:
        """The batch of a step: inputs, then targets and weights where there are any."""
        if self.whole:
            return self.tensors
        chosen = self.chosen(step)
        return tuple(tensor.index_select(0, chosen) for tensor in self.tensors)

    def order(self, epoch: int) -> Tensor:
        """The rows in the order of an epoch, on the device."""
        return super().order(epoch).to(self.device)
