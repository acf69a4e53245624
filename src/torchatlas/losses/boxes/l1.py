"""Box losses over the differences of numbers: smooth near zero, and then linear."""

import math

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ..long_tailed.sizes import learning
from ..reduction import checked, reduced_or_zero, single


class AbstractOffsetLoss(nn.Module):
    """A loss of each number beside its true one; what it is says `losses`. The mean of none is zero."""

    def __init__(self, reduction: str = "mean"):
        super().__init__()
        self.reduction = checked(reduction)

    def losses(self, error: Tensor) -> Tensor:
        """The loss of each error, given without its sign."""
        raise NotImplementedError

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        if prediction.shape != target.shape:
            raise UsageError(
                f"numbers and truths have one shape; got {tuple(prediction.shape)}, {tuple(target.shape)}"
            )
        if learning(self):
            self.note(single(target))
        return reduced_or_zero(self.losses((single(prediction) - single(target)).abs()), self.reduction)

    def note(self, target: Tensor) -> None:
        """See the truths of a batch before its loss, while learning; most losses do not care."""


@method(
    "balanced_l1",
    year=2019,
    paper="arXiv:1904.02701",
    topics=("detection", "regression"),
)
class BalancedL1Loss(AbstractOffsetLoss):
    r"""Balanced L1: smooth L1 with more gradient from small errors, at most $\gamma$ from large ones.

    $\frac{\alpha}{b} (b d + 1) \ln(b d + 1) - \alpha d$ for errors d below 1, $\gamma d + \gamma / b -
    \alpha$ beyond, with $b = e^{\gamma / \alpha} - 1$, so that values and slopes meet at 1. A smaller
    $\alpha$ lifts the gradients of small errors.
    Shapes: numbers (offsets of boxes) and truths of one shape -> a scalar; the shape for `reduction="none"`.
    """

    def __init__(self, alpha: float = 0.5, gamma: float = 1.5, reduction: str = "mean"):
        super().__init__(reduction)
        if not (alpha > 0 and gamma > 0):
            raise UsageError(f"alpha and gamma must be above 0; got {alpha} and {gamma}")
        self.alpha, self.gamma = alpha, gamma
        self.b = math.expm1(gamma / alpha)

    def losses(self, error: Tensor) -> Tensor:
        near = error.clamp(max=1)
        bent = self.alpha / self.b * (self.b * near + 1) * torch.log1p(self.b * near) - self.alpha * near
        return bent + self.gamma * (error - near)


@method(
    "dynamic_smooth_l1",
    year=2020,
    paper="arXiv:2004.06002",
    topics=("detection",),
    tiny={"every": 3, "smallest": 2},
)
class DynamicSmoothL1Loss(AbstractOffsetLoss):
    r"""Dynamic smooth L1: smooth L1 whose bend $\beta$ follows the proposals as they get better.

    $d^2 / (2 \beta)$ for errors d below $\beta$, $d - \beta / 2$ beyond. In training, each batch notes the
    `smallest`-th smallest of its proposals' errors: the mean size of their first two true offsets (the
    centre's). After `every` batches $\beta$ becomes the median of these notes, but at most the `beta` that it
    began with, and it stays where the median is next to nothing. `smallest` is 10 per image in the paper: say
    10 times the images of a batch.
    Shapes: offsets (n, 4) from the proposals and their truths -> a scalar; (n, 4) for `reduction="none"`.
    """

    batch_statistics = True  # what is noted is an order statistic of the whole batch
    now: Tensor
    notes: Tensor
    noted: Tensor

    def __init__(self, beta: float = 1.0, every: int = 100, smallest: int = 10, reduction: str = "mean"):
        super().__init__(reduction)
        if not (beta > 0 and every > 0 and smallest > 0):
            raise UsageError(f"beta, every and smallest must be above 0; got {beta}, {every} and {smallest}")
        self.beta, self.every, self.smallest = beta, every, smallest
        self.register_buffer("now", torch.tensor(float(beta)))
        self.register_buffer("notes", torch.zeros(every))
        self.register_buffer("noted", torch.zeros((), dtype=torch.int64))

    def losses(self, error: Tensor) -> Tensor:
        beta = self.now.to(error.dtype)
        near = torch.minimum(error, beta)
        return near.square() / (2 * beta) + (error - near)

    @torch.no_grad()
    def note(self, target: Tensor) -> None:
        """Note the error of a batch's proposals; after so many batches take their median."""
        if not target.numel():
            return
        errors = target.flatten(0, -2)[:, :2].abs().mean(1) if target.ndim > 1 else target.abs()
        error = errors.sort().values[min(self.smallest, len(errors)) - 1]
        here = torch.arange(self.every, device=self.notes.device) == self.noted
        self.notes.copy_(torch.where(here, error.to(self.notes.dtype), self.notes))
        self.noted += 1
        full = self.noted == self.every
        ranked = self.notes.sort().values
        median = (ranked[(self.every - 1) // 2] + ranked[self.every // 2]) / 2
        usable = full & (median > torch.finfo(ranked.dtype).eps)
        self.now.copy_(torch.where(usable, median.clamp(max=self.beta), self.now))
        self.noted.copy_(torch.where(full, 0, self.noted))
