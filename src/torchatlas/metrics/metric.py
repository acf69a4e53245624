"""What metrics have in common: state that adds up."""

import torch
from torch import Tensor, nn

from ..engine.errors import UsageError


class AbstractMetric(nn.Module):
    """A score of a whole set, gathered batch by batch; all of its state are sums, kept as buffers.

    A metric says its sums (`add_sum`), adds a batch to them (`update`) and reads the score off (`compute`).
    Sums of two parts are those of the whole, so `merge` takes in what another process or shard saw. Sums are
    integers where they count, so that the order of batches cannot be seen in the score.
    """

    def add_sum(self, name: str, *shape: int, dtype: torch.dtype = torch.int64) -> None:
        """Have a buffer of zeros under this name."""
        self.register_buffer(name, torch.zeros(shape, dtype=dtype))

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch."""
        raise NotImplementedError

    def compute(self) -> Tensor:
        """The score of all that was added; nan where nothing was."""
        raise NotImplementedError

    def forward(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch: a metric is a module, so calling it is `update`."""
        self.update(prediction, target)

    def reset(self) -> None:
        """Forget all batches."""
        for total in self.buffers():
            total.zero_()

    def merge(self, other: "AbstractMetric") -> None:
        """Add what another metric saw. Raises UsageError unless it is of the same kind and size."""
        mine, theirs = dict(self.named_buffers()), dict(other.named_buffers())
        sizes = [{name: total.shape for name, total in sums.items()} for sums in (mine, theirs)]
        if type(self) is not type(other) or sizes[0] != sizes[1]:
            raise UsageError(f"{other} cannot be merged into {self}: they count different things")
        for name, total in mine.items():
            total += theirs[name].to(total.device)
