from math import pi, sqrt
from statistics import fmean, median_low

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError

EPS, MOMENTUM = 1e-3, 0.3


def batch(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.double, generator=torch.Generator().manual_seed(seed)) * 2 + 1


def numbers(x: torch.Tensor, c: int) -> list[float]:
    return x.transpose(0, 1)[c].flatten().tolist()


def spread(name: str, values: list[float]) -> tuple[float, float, float]:
    """The centre, the divisor, and the spread that running statistics learn from, by hand."""
    n, mean = len(values), fmean(values)
    if name == "l1_batch_norm":
        distance = fmean(abs(v - mean) for v in values)
        return mean, distance + EPS, distance
    if name == "std":
        square = fmean((v - mean) ** 2 for v in values)
        return mean, sqrt(square + EPS), square * n / (n - 1)
    if name == "mad":
        distance = fmean(abs(v - median_low(values)) for v in values)
        return median_low(values), distance + EPS, distance
    width = max(values) - min(values)
    return (max(values) + min(values)) / 2, width / 2 + EPS, width / 2


def norm_called(name: str):
    options = {"num_features": 3, "eps": EPS, "momentum": MOMENTUM}
    if name == "l1_batch_norm":
        return create(name, **options).double()
    return create("generalized_batch_norm", deviation=name, **options).double()


@pytest.mark.parametrize("shape", [(5, 3), (4, 3, 7), (2, 3, 4, 2)])
@pytest.mark.parametrize("name", ["l1_batch_norm", "std", "mad", "range"])
def test_training_takes_the_batchs_statistics_and_evaluation_the_running_ones(name, shape):
    norm, weight, bias = norm_called(name), (2.0, -1.0, 0.5), (0.0, 3.0, -2.0)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor(weight))
        norm.bias.copy_(torch.tensor(bias))
    running = [(0.0, 1.0)] * 3
    for seed in range(2):
        x = batch(*shape, seed=seed)
        y = norm(x)
        for c in range(3):
            centre, divisor, lasting = spread(name, numbers(x, c))
            expected = [weight[c] * (v - centre) / divisor + bias[c] for v in numbers(x, c)]
            assert numbers(y, c) == pytest.approx(expected, abs=1e-12)
            old = running[c]
            running[c] = (
                (1 - MOMENTUM) * old[0] + MOMENTUM * centre,
                (1 - MOMENTUM) * old[1] + MOMENTUM * lasting,
            )
    y = norm.eval()(x)
    for c, (centre, kept) in enumerate(running):
        divisor = sqrt(kept + EPS) if name == "std" else kept + EPS
        expected = [weight[c] * (v - centre) / divisor + bias[c] for v in numbers(x, c)]
        assert numbers(y, c) == pytest.approx(expected, abs=1e-12)
    assert norm.num_batches_tracked.item() == 2


def test_the_standard_deviation_gives_batch_normalisation():
    ours, theirs = create("generalized_batch_norm", num_features=3, deviation="std"), torch.nn.BatchNorm2d(3)
    for seed in range(3):
        x = batch(2, 3, 4, 2, seed=seed).float()
        torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.running_spread, theirs.running_var)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


def test_normal_numbers_lie_closer_than_their_standard_deviation():
    x = torch.randn(200_000, 1, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    assert create("l1_batch_norm", num_features=1).double()(x).std().item() == pytest.approx(
        sqrt(pi / 2), rel=5e-3
    )


def test_evaluation_moves_nothing():
    norm = create("l1_batch_norm", num_features=3)
    norm.eval()(batch(4, 3).float())
    assert norm.num_batches_tracked.item() == 0 and not norm.running_centre.any()


@pytest.mark.parametrize("name", ["l1_batch_norm", "generalized_batch_norm"])
def test_what_does_not_fit_is_told(name):
    norm = create(name, num_features=3)
    with pytest.raises(UsageError, match="3 channels"):
        norm(torch.zeros(2, 4))
    for shape in ((1, 3), (0, 3, 2), (1, 3, 1, 1)):
        with pytest.raises(UsageError, match="more than one value per channel"):
            norm(torch.zeros(shape))


def test_without_affine_it_has_no_parameters_and_unknown_deviations_are_told():
    assert not list(create("l1_batch_norm", num_features=3, affine=False).parameters())
    with pytest.raises(UsageError, match="mad"):
        create("generalized_batch_norm", num_features=3, deviation="variance")


@pytest.mark.parametrize("name", ["generalized_batch_norm"])
def test_the_superquantile_is_taken_at_its_level(name):
    x = torch.arange(10.0, dtype=torch.double).reshape(10, 1)  # above 6: 7, 8, 9, of mean 8; all: mean 4.5
    norm = create(name, num_features=1, deviation="superquantile", level=0.7, eps=0.0).double()
    assert norm(x).flatten().tolist() == pytest.approx([(v - 6) / 3.5 for v in range(10)])
