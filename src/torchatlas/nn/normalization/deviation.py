"""Measures of deviation: where the middle of a channel's numbers is, and how far they lie from it."""

from abc import ABC, abstractmethod
from math import ceil

import torch
from torch import Tensor

from ...engine.errors import UsageError

Statistics = tuple[Tensor, Tensor]


class AbstractDeviation(ABC):
    """A centre and a spread of each channel's numbers that belong together.

    Channels lie along dimension 1; both are of shape (channels,).
    """

    @abstractmethod
    def statistics(self, x: Tensor) -> Statistics:  # (n, c, ...) -> (c,), (c,)
        """The centre and the spread of each channel."""

    def divisor(self, spread: Tensor, eps: float) -> Tensor:
        """What the distances from the centre are divided by."""
        return spread + eps

    def lasting(self, spread: Tensor, count: int) -> Tensor:
        """What the running spread learns from that of so many numbers."""
        return spread


class Variance(AbstractDeviation):
    """The mean and the variance; biased for the batch itself, unbiased for the running one."""

    def statistics(self, x: Tensor) -> Statistics:
        """The mean and the variance with the divisor n."""
        variance, mean = torch.var_mean(x, others(x), correction=0)
        return mean, variance

    def divisor(self, spread: Tensor, eps: float) -> Tensor:
        """The standard deviation."""
        return (spread + eps).sqrt()

    def lasting(self, spread: Tensor, count: int) -> Tensor:
        """The variance with the divisor n - 1."""
        return spread * (count / (count - 1))


class FromMean(AbstractDeviation):
    """The mean and the mean distance from it."""

    def statistics(self, x: Tensor) -> Statistics:
        """Mean x and mean |x - mean|."""
        mean = x.mean(others(x), keepdim=True)
        return mean.flatten(), (x - mean).abs().mean(others(x))


class FromMedian(AbstractDeviation):
    """The median and the mean distance from it; of an even count the lower of the two middle numbers."""

    def statistics(self, x: Tensor) -> Statistics:
        """Median x and mean |x - median|."""
        rows = by_channel(x)
        median = rows.median(1).values
        return median, (rows - median[:, None]).abs().mean(1)


class HalfRange(AbstractDeviation):
    """The middle of the range and half its width."""

    def statistics(self, x: Tensor) -> Statistics:
        """(max + min) / 2 and (max - min) / 2."""
        high, low = x.amax(others(x)), x.amin(others(x))
        return high / 2 + low / 2, high / 2 - low / 2


class Superquantile(AbstractDeviation):
    """A quantile, and how far the mean of the numbers above it lies above the mean of all.

    level: the share of numbers below the quantile, 0 to 1. Raises UsageError for other levels.
    """

    def __init__(self, level: float):
        if not 0 < level < 1:
            raise UsageError(f"level={level} must lie between 0 and 1: the share of numbers below it")
        self.level = level

    def statistics(self, x: Tensor) -> Statistics:
        """The quantile q, and q + mean max(x - q, 0) / (1 - level) - mean x."""
        rows = by_channel(x)
        place = ceil(self.level * rows.shape[1] - 1e-9)  # 0.7 * 10 is a little more than 7
        quantile = rows.kthvalue(max(place, 1), 1).values
        above = (rows - quantile[:, None]).clamp(min=0).mean(1) / (1 - self.level)
        return quantile, quantile + above - rows.mean(1)


def others(x: Tensor) -> list[int]:
    """The dimensions beside the channels'."""
    return [0, *range(2, x.ndim)]


def by_channel(x: Tensor) -> Tensor:  # (n, c, ...) -> (c, n ...)
    """One row of numbers per channel."""
    return x.movedim(1, 0).flatten(1)


def positions(x: Tensor) -> list[int]:
    """The dimensions behind the channels'. Raises UsageError where there are none: none would mean all."""
    if x.ndim < 3:
        raise UsageError(f"this takes maps (batch, channels, positions ...), not {tuple(x.shape)}")
    return list(range(2, x.ndim))
