"""The inverse square root: the schedule of the first transformers."""

from typing import Any

from torch.optim.lr_scheduler import LRScheduler
from torch.optim.optimizer import Optimizer

from ...cards.card import method
from ...engine.errors import UsageError


@method("lr_inverse_sqrt", year=2017, paper="arXiv:1706.03762", aliases=("noam",), tiny={"warmup": 5})
class InverseSqrt(LRScheduler):
    r"""Inverse square root: a line up for $w$ steps of warm-up, then $\gamma_0 \sqrt{w / t}$.

    $t$ is 1 at the first step, and the optimizer's own rate $\gamma_0$ is reached at $t = w$ (`warmup`). With
    the `width` $d$ of a transformer it is the paper's $\gamma_0 d^{-1/2} \min(t^{-1/2}, t w^{-3/2})$ (Noam),
    where $\gamma_0 = 1$.
    """

    def __init__(
        self, optimizer: Optimizer, warmup: int = 4000, width: int | None = None, last_epoch: int = -1
    ):
        if warmup < 1:
            raise UsageError(f"warmup must be at least 1 step, not {warmup}")
        self.warmup, self.width = warmup, width
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The rate of each group at the step that comes next."""
        t, w = self.last_epoch + 1, self.warmup
        peak = 1.0 if self.width is None else (self.width * w) ** -0.5
        share = peak * min((w / t) ** 0.5, t / w)
        return [base * share for base in self.base_lrs]
