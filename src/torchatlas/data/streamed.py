"""Data that does not fit in memory: batches are decoded from files ahead of the steps that take them."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .ahead import Ahead
from .files import Encoded
from .resident import Resident, Shuffled
from .spec import Part

Task = tuple[np.ndarray[Any, Any], slice]  # the rows of a step, and which of them to decode


class Streamed(Shuffled):
    """Batches of a part whose images stay in their files: the very batches that `Resident` gives.

    They may be asked for from any step on, and going on is what is fast: decoding runs ahead in processes
    of its own, which `close` ends.
    """

    def __init__(self, part: Part, batch_size: int, seed: int, device: Any = "cpu", sampler: Any = None):
        super().__init__(len(part), batch_size, seed, sampler)
        self.device = torch.device(device)
        self._part, self._mine = part.to("cpu"), (1, range(1))
        self._step, self._batch = -1, ()  # type: tuple[int, tuple[Tensor, ...]]
        self._ahead: Ahead | None = None

    def divide(self, pieces: int, mine: range) -> None:
        """Told that of the `pieces` that `torch.tensor_split` cuts a batch into only `mine` are taken here.

        The images of other rows are zeros then; their targets and weights are there.
        """
        self.close()
        self._mine = pieces, mine

    def batch(self, step: int, turn: int = 0, learner: Any = None) -> tuple[Tensor, ...]:
        """The batch of a step: inputs, then targets and weights where there are any."""
        if step != self._step:
            if self._ahead is None or step != self._step + 1:
                self.close()
                self._ahead = self._from(step)
            try:
                found = next(self._ahead)
            except BaseException:
                self.close()
                raise
            self._batch = tuple(tensor.to(self.device, non_blocking=True) for tensor in found)
            self._step = step
        return self._batch

    def _from(self, step: int) -> Ahead:
        x = self._part.x
        nbytes = self.batch_size * math.prod(x.shape[1:]) * x.dtype.itemsize
        pin = self.device.type == "cuda"
        # An order of its own: a circle of references would keep the processes of a source that is let go.
        order = Shuffled(self.rows, self.batch_size, self.seed, self.sampler)
        return Ahead(_Decoded(self._part), _Tasks(order, self._mine, step), nbytes, pin)

    def close(self) -> None:
        """End the processes; the next batch starts them anew."""
        if self._ahead is not None:
            self._ahead.close()
        self._ahead, self._step, self._batch = None, -1, ()


class _Tasks:
    """What is to be decoded for the steps from one on, without end."""

    def __init__(self, order: Shuffled, mine: tuple[int, range], first: int):
        self.order, self.mine, self.first = order, mine, first

    def __iter__(self) -> Iterator[Task]:
        pieces, mine = self.mine
        step = self.first
        while True:
            rows = self.order.chosen(step).numpy()
            each, longer = divmod(len(rows), pieces)  # the first `longer` pieces have one row more
            start, stop = (k * each + min(k, longer) for k in (mine.start, mine.stop))
            yield rows, slice(start, stop)
            step += 1


class _Decoded:
    """What a process does of a task."""

    def __init__(self, part: Part):
        self.part = part

    def __call__(self, task: Task) -> tuple[Tensor, ...]:
        rows, wanted = task
        x, *others = self.part.tensors()
        some = x[rows[wanted]]
        if len(some) < len(rows):
            whole = torch.zeros(len(rows), *some.shape[1:], dtype=some.dtype)
            whole[wanted] = some
            some = whole
        return (some, *(other[torch.from_numpy(rows)] for other in others))


def source_of(
    part: Part, batch_size: int, seed: int, device: Any = "cpu", sampler: Any = None
) -> Resident | Streamed:
    """The source of a part's rows: decoded ahead where they stay in files, else on the device."""
    kind = Streamed if isinstance(part.x, Encoded) else Resident
    return kind(part, batch_size, seed, device, sampler)
