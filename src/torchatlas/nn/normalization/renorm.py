"""Batch renormalisation: training that sees what evaluation will see."""

from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from .batch import AbstractBatchNorm, per_channel, wide
from .deviation import Variance


@method("batch_renorm", year=2017, paper="arXiv:1702.03275", tiny={"num_features": 4})
class BatchRenorm(AbstractBatchNorm):
    r"""Batch renormalisation: batch normalisation, corrected to the running statistics while training.

    $\hat x = r (x - \mu_B) / \sigma_B + d$ with $r = \sigma_B / \sigma$ held within $1 / r_{max}$ to
    $r_{max}$ and $d = (\mu_B - \mu) / \sigma$ within $\pm d_{max}$; no gradient flows through r and d.
    Unbounded it is what evaluation computes, $(x - \mu) / \sigma$ with the running mean and deviation before
    this batch.
    ramp: the step up to which r = 1 and d = 0 (batch normalisation), and the steps at which the bounds, which
    grow linearly from there, reach `r_max` and `d_max`. Shapes and errors: as batch normalisation; raises
    UsageError for bounds or a ramp that go down.
    """

    def __init__(
        self,
        num_features: int,
        r_max: float = 3.0,
        d_max: float = 5.0,
        ramp: tuple[int, int, int] = (5_000, 40_000, 25_000),
        eps: float = 1e-5,
        momentum: float = 0.01,
        affine: bool = True,
    ):
        if r_max < 1 or d_max < 0 or min(ramp[1:]) <= ramp[0]:
            raise UsageError(
                f"r_max={r_max} must be 1 or more, d_max={d_max} 0 or more, and ramp={ramp} go up"
            )
        super().__init__(num_features, Variance(), eps, momentum, affine)
        self.r_max, self.d_max, self.ramp = r_max, d_max, ramp

    def bounds(self) -> tuple[Tensor, Tensor]:
        """The bounds on r and d at this step, as tensors: no step waits for the device to tell its count."""
        start, r_end, d_end = self.ramp
        done = wide(self.num_batches_tracked) - start
        r_share, d_share = (done / (r_end - start)).clamp(0, 1), (done / (d_end - start)).clamp(0, 1)
        return 1 + (self.r_max - 1) * r_share, self.d_max * d_share

    def while_training(self, x: Tensor, centre: Tensor, spread: Tensor) -> Tensor:
        """A training batch by its own statistics, brought to the scale of the running ones."""
        r_bound, d_bound = (bound.to(x.dtype) for bound in self.bounds())
        running = self.deviation.divisor(wide(self.running_spread), self.eps)
        own = self.deviation.divisor(spread, self.eps)
        r = (own / running).detach().clamp(1 / r_bound, r_bound)
        d = ((centre - wide(self.running_centre)) / running).detach().clamp(-d_bound, d_bound)
        return self.normalised(x, centre, spread) * per_channel(r, x) + per_channel(d, x)
