"""Normalisation by statistics of the batch, with other measures of deviation than the standard one."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .deviation import AbstractDeviation, FromMean, FromMedian, HalfRange, Superquantile, Variance


def wide(x: Tensor) -> Tensor:
    """The same numbers in single precision at least: sums and squares of half precision overflow."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


class AbstractBatchNorm(nn.Module):
    """A norm over the batch: distances from a channel's centre, in units of its spread.

    While training, both are the batch's, and running ones follow them: running ← running + momentum
    (batch - running). Evaluation takes the running ones. Shapes: (batch, channels, ...) -> the same.
    Raises UsageError for other channels, and while training for one value per channel.
    """

    batch_statistics = True  # the loss of a batch is not the mean of its parts' losses
    standardises = True  # a training batch comes out with centre 0 and spread 1 in each channel
    running_centre: Tensor
    running_spread: Tensor
    num_batches_tracked: Tensor

    def __init__(
        self,
        num_features: int,
        deviation: AbstractDeviation,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
    ):
        super().__init__()
        self.num_features, self.deviation, self.eps, self.momentum = num_features, deviation, eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features)) if affine else None
        self.bias = nn.Parameter(torch.zeros(num_features)) if affine else None
        self.register_buffer("running_centre", torch.zeros(num_features))
        self.register_buffer("running_spread", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, x: Tensor) -> Tensor:  # (n, c, ...) -> (n, c, ...)
        if x.ndim < 2 or x.shape[1] != self.num_features:
            raise UsageError(
                f"this norm takes (batch, {self.num_features} channels, ...), and got {tuple(x.shape)}"
            )
        numbers = wide(x)
        if self.training:
            centre, spread = self.deviation.statistics(self._enough(numbers))
            y = self.while_training(numbers, centre, spread)
            self._follow(centre.detach(), spread.detach(), numbers.numel() // self.num_features)
        else:
            y = self.normalised(numbers, wide(self.running_centre), wide(self.running_spread))
        if self.weight is not None and self.bias is not None:
            y = y * per_channel(self.weight, x) + per_channel(self.bias, x)
        return y.to(x.dtype)

    def normalised(self, x: Tensor, centre: Tensor, spread: Tensor) -> Tensor:
        """Distances from the centre, in units of the spread."""
        divisor = self.deviation.divisor(spread, self.eps)
        return (x - per_channel(centre, x)) / per_channel(divisor, x)

    def while_training(self, x: Tensor, centre: Tensor, spread: Tensor) -> Tensor:
        """A training batch by its own centre and spread."""
        return self.normalised(x, centre, spread)

    def _enough(self, x: Tensor) -> Tensor:
        if x.numel() < 2 * self.num_features:
            raise UsageError(
                f"a batch of {tuple(x.shape)} has no spread: training takes more than one value per channel"
            )
        return x

    def _follow(self, centre: Tensor, spread: Tensor, count: int) -> None:
        """Move the running statistics towards the batch's."""
        lasting = self.deviation.lasting(spread, count)
        self.num_batches_tracked.add_(1)
        for running, batch in ((self.running_centre, centre), (self.running_spread, lasting)):
            running.lerp_(batch.to(running.dtype), self.momentum)

    def extra_repr(self) -> str:
        """The settings, as a printed module shows them."""
        measure = type(self.deviation).__name__
        return f"{self.num_features}, {measure}, eps={self.eps}, momentum={self.momentum}"


def per_channel(values: Tensor, x: Tensor) -> Tensor:  # (c,) -> (c, 1, ...)
    """One value for each channel of dimension 1, ready to meet a batch."""
    return values.view(-1, *[1] * (x.ndim - 2))


@method("l1_batch_norm", year=2018, paper="arXiv:1802.09769", tiny={"num_features": 4})
class L1BatchNorm(AbstractBatchNorm):
    r"""L1 batch normalisation: by the mean distance from the mean, without squares and roots.

    $\gamma (x - \mu) / (\sigma + \epsilon) + \beta$ with $\sigma = \mathrm{mean} |x - \mu|$ over the batch.
    Of normal numbers the standard deviation is $\sqrt{\pi / 2}$ times as large; γ makes up for it.
    Shapes, running statistics and errors: as batch normalisation.
    """

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True):
        super().__init__(num_features, FromMean(), eps, momentum, affine)


DEVIATIONS: Mapping[str, Callable[[float], AbstractDeviation]] = {
    "std": lambda level: Variance(),
    "mad": lambda level: FromMedian(),
    "range": lambda level: HalfRange(),
    "superquantile": Superquantile,
}


@method(
    "generalized_batch_norm",
    year=2018,
    paper="arXiv:1812.03271",
    tiny={"num_features": 4},
)
class GeneralizedBatchNorm(AbstractBatchNorm):
    r"""Generalised batch normalisation: by another measure of deviation D, and the centre S that fits it.

    $\gamma (x - S) / (D + \epsilon) + \beta$ over the batch. What deviation says:
    "std": S is the mean and D the standard deviation (ε below its root): batch normalisation;
    "mad": S is the median and D the mean distance from it;
    "range": S is the middle of the range and D half its width;
    "superquantile": S is a quantile and D the mean of the numbers above it less the mean of all.
    level: which quantile, 0 to 1; at 0.5 it is the median, and D is that of "mad".
    Shapes, running statistics and errors: as batch normalisation. Raises UsageError for other deviations.
    """

    def __init__(
        self,
        num_features: int,
        deviation: str = "mad",
        level: float = 0.5,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
    ):
        if deviation not in DEVIATIONS:
            raise UsageError(f"there is no deviation {deviation!r}: take one of {', '.join(DEVIATIONS)}")
        super().__init__(num_features, DEVIATIONS[deviation](level), eps, momentum, affine)
