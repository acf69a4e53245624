"""What metrics have in common: state that adds up."""

from typing import Any

import torch
from torch import Tensor, nn

from ..engine.errors import UsageError


class AbstractMetric(nn.Module):
    """A score of a whole set, gathered batch by batch; all of its state are buffers, most of them sums.

    A metric says its sums (`add_sum`), adds a batch to them (`update`) and reads the score off (`compute`).
    Sums of two parts are those of the whole, so `merge` takes in what another process or shard saw. Sums are
    integers where they count, so that the order of batches cannot be seen in the score. What no sum holds
    (a ranking needs every score) is kept row by row (`add_rows`, `keep`): rows of two parts are put together.
    A metric whose `update` is called with something else than class numbers or numbers has `example(seed)`,
    which gives what one `update` is called with.
    """

    kept: tuple[str, ...] = ()  # names of the buffers that hold rows

    def add_sum(self, name: str, *shape: int, dtype: torch.dtype = torch.int64) -> None:
        """Have a buffer of zeros under this name."""
        self.register_buffer(name, torch.zeros(shape, dtype=dtype))

    def add_rows(self, name: str, *shape: int, dtype: torch.dtype = torch.float64) -> None:
        """Have a buffer under this name that grows by rows of this shape."""
        self.register_buffer(name, torch.zeros(0, *shape, dtype=dtype))
        self.kept = (*self.kept, name)

    def keep(self, name: str, rows: Tensor) -> None:
        """Put rows behind those that are there."""
        held = getattr(self, name)
        setattr(self, name, torch.cat([held, rows.detach().to(held)]))

    def update(self, *batch: Any, **words: Any) -> None:
        """Add a batch."""
        raise NotImplementedError

    def compute(self) -> Tensor:
        """The score of all that was added; nan where nothing was."""
        raise NotImplementedError

    def forward(self, *batch: Any, **words: Any) -> None:
        """Add a batch: a metric is a module, so calling it is `update`."""
        self.update(*batch, **words)

    def reset(self) -> None:
        """Forget all batches."""
        for name, total in self.named_buffers():
            if name in self.kept:
                setattr(self, name, total.new_zeros(0, *total.shape[1:]))
            else:
                total.zero_()

    def merge(self, other: "AbstractMetric") -> None:
        """Add what another metric saw. Raises UsageError unless it is of the same kind and size."""
        if type(self) is not type(other) or self._sizes() != other._sizes():
            raise UsageError(f"{other} cannot be merged into {self}: they count different things")
        theirs = dict(other.named_buffers())
        for name, total in dict(self.named_buffers()).items():
            if name in self.kept:
                self.keep(name, theirs[name])
            else:
                total += theirs[name].to(total.device)

    def _sizes(self) -> dict[str, torch.Size]:
        return {name: x.shape[1:] if name in self.kept else x.shape for name, x in self.named_buffers()}

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        for name in self.kept:
            if prefix + name in state_dict:  # as many rows as were saved
                setattr(self, name, getattr(self, name).new_empty(state_dict[prefix + name].shape))
        super()._load_from_state_dict(state_dict, prefix, *rest)


class AbstractMean(AbstractMetric):
    """The mean of numbers: kept are their sum and how many they are."""

    total: Tensor
    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_sum("total", dtype=torch.double)
        self.add_sum("seen")

    def compute(self) -> Tensor:
        """The mean."""
        return self.total / self.seen
