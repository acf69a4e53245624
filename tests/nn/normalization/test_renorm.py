from math import sqrt
from statistics import fmean

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError

EPS = 1e-5


def batch(seed: int, scale: float = 2.0, shift: float = 1.0) -> torch.Tensor:
    x = torch.randn(4, 2, 3, 5, dtype=torch.double, generator=torch.Generator().manual_seed(seed))
    return x * scale + shift


def after(steps: int, **options):
    norm = create("batch_renorm", num_features=2, **options).double()
    norm.num_batches_tracked.fill_(steps)
    return norm


def clip(v: float, low: float, high: float) -> float:
    return max(low, min(high, v))


@pytest.mark.parametrize("steps", [0, 4, 7, 10, 13, 100])
def test_it_is_the_papers_algorithm_at_each_step_of_the_ramp(steps):
    norm = after(steps, r_max=3.0, d_max=5.0, ramp=(4, 13, 10), momentum=0.25)
    running = [(0.3, 0.5), (-1.0, 4.0)]  # mean and variance
    norm.running_centre.copy_(torch.tensor([m for m, _ in running], dtype=torch.double))
    norm.running_spread.copy_(torch.tensor([v for _, v in running], dtype=torch.double))
    x = batch(3)
    y = norm(x)
    r_bound = 1 + 2 * clip((steps - 4) / 9, 0, 1)
    d_bound = 5 * clip((steps - 4) / 6, 0, 1)
    for c, (mean, variance) in enumerate(running):
        values = x[:, c].flatten().tolist()
        own = fmean(values)
        square = fmean((v - own) ** 2 for v in values)
        r = clip(sqrt((square + EPS) / (variance + EPS)), 1 / r_bound, r_bound)
        d = clip((own - mean) / sqrt(variance + EPS), -d_bound, d_bound)
        expected = [(v - own) / sqrt(square + EPS) * r + d for v in values]
        assert y[:, c].flatten().tolist() == pytest.approx(expected, abs=1e-6)  # the ramp is float32
        n = len(values)
        assert norm.running_centre[c].item() == pytest.approx(0.75 * mean + 0.25 * own)
        assert norm.running_spread[c].item() == pytest.approx(0.75 * variance + 0.25 * square * n / (n - 1))


def test_at_first_it_is_batch_normalisation():
    ours, theirs = (
        create("batch_renorm", num_features=2, momentum=0.1).double(),
        torch.nn.BatchNorm2d(2).double(),
    )
    for seed in range(3):
        x = batch(seed)
        assert torch.allclose(ours(x), theirs(x))
    assert torch.allclose(ours.running_spread, theirs.running_var)
    assert torch.allclose(ours.eval()(x), theirs.eval()(x))


def test_unbounded_it_computes_what_evaluation_does():
    norm = after(10, r_max=1e9, d_max=1e9, ramp=(0, 1, 1))
    norm.running_centre.fill_(0.7), norm.running_spread.fill_(2.5)
    x = batch(1, scale=9.0, shift=-4.0)
    expected = norm.eval()(x)
    assert torch.allclose(norm.train()(x), expected)


def test_no_gradient_flows_through_the_correction():
    """With r and d held fixed the gradient is r times that of batch normalisation."""
    norm, weight = after(10, ramp=(0, 1, 1)), batch(5)
    norm.running_spread.fill_(3.0)
    x = batch(1).requires_grad_()
    (got,) = torch.autograd.grad((norm(x) * weight).sum(), x)
    plain = x.detach().clone().requires_grad_()
    y = torch.nn.functional.batch_norm(plain, None, None, training=True)
    (base,) = torch.autograd.grad((y * weight).sum(), plain)
    r = ((x.detach().var((0, 2, 3), correction=0) + EPS) / (3.0 + EPS)).sqrt()
    assert torch.allclose(got, base * r.view(-1, 1, 1))


@pytest.mark.parametrize(
    "options", [{"r_max": 0.5}, {"d_max": -1.0}, {"ramp": (5, 5, 9)}, {"ramp": (5, 9, 4)}]
)
def test_bounds_that_go_down_are_told(options):
    with pytest.raises(UsageError, match="ramp="):
        create("batch_renorm", num_features=2, **options)
