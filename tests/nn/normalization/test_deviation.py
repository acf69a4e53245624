from math import ceil
from statistics import fmean, median_low

import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.nn.normalization.deviation import FromMean, FromMedian, HalfRange, Superquantile, Variance

SHAPES = [(5, 3), (4, 3, 5), (3, 3, 2, 3)]


def numbers(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.double, generator=torch.Generator().manual_seed(seed)) * 3 + 1


def channel(x: torch.Tensor, c: int) -> list[float]:
    return x.transpose(0, 1)[c].flatten().tolist()


def by_hand(name: str, values: list[float], level: float) -> tuple[float, float]:
    n, mean = len(values), fmean(values)
    if name == "variance":
        return mean, sum((v - mean) ** 2 for v in values) / n
    if name == "mean":
        return mean, sum(abs(v - mean) for v in values) / n
    if name == "median":
        return median_low(values), sum(abs(v - median_low(values)) for v in values) / n
    if name == "range":
        return (max(values) + min(values)) / 2, (max(values) - min(values)) / 2
    # The quantile from below, and the mean of the upper 1 - level of the mass: of the quantile a part.
    ordered = sorted(values)
    place = ceil(level * n - 1e-9)
    quantile = ordered[place - 1]
    upper = ((place - level * n) * quantile + sum(ordered[place:])) / ((1 - level) * n)
    return quantile, upper - mean


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("name", "measure", "level"),
    [
        ("variance", Variance(), 0),
        ("mean", FromMean(), 0),
        ("median", FromMedian(), 0),
        ("range", HalfRange(), 0),
        *(("superquantile", Superquantile(level), level) for level in (0.1, 0.5, 0.7, 0.95)),
    ],
)
def test_each_channel_has_its_centre_and_spread(shape, name, measure, level):
    x = numbers(shape)
    centre, spread = measure.statistics(x)
    for c in range(3):
        expected = by_hand(name, channel(x, c), level)
        assert (centre[c].item(), spread[c].item()) == pytest.approx(expected, abs=1e-12)


def test_the_upper_half_lies_as_far_above_the_mean_as_numbers_lie_from_the_median():
    for shape in SHAPES:
        x = numbers(shape, 1)
        for a, b in zip(Superquantile(0.5).statistics(x), FromMedian().statistics(x), strict=True):
            assert torch.allclose(a, b)


def test_the_running_variance_is_unbiased_and_the_others_are_kept_as_they_are():
    assert Variance().lasting(torch.tensor(3.0), 4).item() == 4
    assert FromMean().lasting(torch.tensor(3.0), 4).item() == 3


@pytest.mark.parametrize("level", [0.0, 1.0, -0.5])
def test_a_level_lies_inside(level):
    with pytest.raises(UsageError, match="between 0 and 1"):
        Superquantile(level)
