"""What losses over embeddings share: where embeddings lie, how far they are apart, and which are compared."""

from abc import abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...engine.errors import UsageError


class AbstractEmbeddingLoss(nn.Module):
    """A loss over embeddings (batch, width) and class numbers (batch,), which compares rows with each other.

    `unit` puts the embeddings on the unit sphere before they are compared. `reduction` is "mean" or "sum",
    over the pairs, triplets or rows that a loss compares; the sum of a loss that is of the batch as a whole
    is its value times the rows.
    """

    def __init__(self, unit: bool = True, reduction: str = "mean"):
        super().__init__()
        if reduction not in ("mean", "sum"):
            raise UsageError(f"reduction is 'mean' or 'sum' for a loss over pairs of rows, not {reduction!r}")
        self.unit, self.reduction = unit, reduction

    def points(self, embeddings: Tensor) -> Tensor:
        """The embeddings where they are compared: on the unit sphere, or as they are."""
        return F.normalize(embeddings, dim=1) if self.unit else embeddings

    def over(self, losses: Tensor, chosen: Tensor | None = None) -> Tensor:
        """The mean of the chosen losses, of all by default, or their sum; 0 where there is none."""
        chosen = torch.ones_like(losses, dtype=torch.bool) if chosen is None else chosen
        total = torch.where(chosen, losses, 0.0).sum()
        return total / chosen.sum().clamp_min(1) if self.reduction == "mean" else total

    def of_batch(self, loss: Tensor, rows: int) -> Tensor:
        """A loss of the batch as a whole, times its rows where sums are asked for."""
        return loss if self.reduction == "mean" else loss * rows

    @abstractmethod
    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch: a scalar."""


def distances(points: Tensor, squared: bool = True) -> Tensor:  # (b, d) -> (b, b)
    """Euclidean distances of all pairs, squared or not; exactly zero on the diagonal, gradients finite."""
    far = (points[:, None] - points[None]).square().sum(2)
    return far if squared else far.clamp_min(torch.finfo(far.dtype).tiny).sqrt()


def pairs(labels: Tensor) -> tuple[Tensor, Tensor]:  # (b,) -> (b, b), (b, b)
    """Which two rows are of one class (a row and itself left out), and which of two classes."""
    same = labels[:, None] == labels
    return same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device), ~same


def log_sum(scores: Tensor, chosen: Tensor) -> Tensor:  # (..., n) -> (...)
    """The log of the sum of exponentials of the chosen; the smallest number where none is chosen."""
    return scores.masked_fill(~chosen, torch.finfo(scores.dtype).min).logsumexp(-1)


def log_one_plus(log_sums: Tensor) -> Tensor:
    """log(1 + e^x), to the last digit wherever x is."""
    return torch.logaddexp(log_sums, torch.zeros_like(log_sums))


def largest(values: Tensor, chosen: Tensor) -> Tensor:  # (b, n) -> (b,)
    """The largest chosen value of each row; the smallest number where none is chosen."""
    low = torch.finfo(values.dtype).min
    return torch.cat([values.masked_fill(~chosen, low), values.new_full((len(values), 1), low)], 1).amax(1)


def smallest(values: Tensor, chosen: Tensor) -> Tensor:  # (b, n) -> (b,)
    """The smallest chosen value of each row; the largest number where none is chosen."""
    return -largest(-values, chosen)
