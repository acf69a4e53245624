from math import exp, pi, sqrt

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError


def convolved(x: float, alpha: float, sigma: float) -> float:
    """LeakyReLU times a normal density around x, by Simpson's rule on each side of the corner."""

    def weighted(t: float) -> float:
        leaky = t if t > 0 else alpha * t
        return leaky * exp(-((t - x) ** 2) / (2 * sigma**2)) / (sigma * sqrt(2 * pi))

    def simpson(a: float, b: float, steps: int = 4000) -> float:
        h = (b - a) / steps
        inner = sum((4 if k % 2 else 2) * weighted(a + k * h) for k in range(1, steps))
        return h / 3 * (weighted(a) + weighted(b) + inner)

    low, high = x - 12 * sigma, x + 12 * sigma
    return simpson(low, high) if not low < 0 < high else simpson(low, 0) + simpson(0, high)


def value(x: float, **options: float) -> float:
    act = create("sau", **options).double()
    with torch.no_grad():
        act.alpha.fill_(options.get("alpha", 0.15))
    return act(torch.tensor([x], dtype=torch.double)).item()


@pytest.mark.parametrize(("alpha", "sigma"), [(0.25, 0.5), (0.0, 1.3), (-0.4, 0.1)])
@pytest.mark.parametrize("x", [-2.0, -0.7, 0.0, 0.3, 1.9])
def test_it_is_a_blurred_leaky_relu(x, alpha, sigma):
    assert value(x, alpha=alpha, sigma=sigma) == pytest.approx(convolved(x, alpha, sigma), abs=1e-9)


@pytest.mark.parametrize(("x", "y"), [(0, 0.149603), (1, 1.003184), (-1, -0.246816)])
def test_known_values(x, y):
    assert value(x, alpha=0.25, sigma=0.5) == pytest.approx(y, abs=5e-7)


@pytest.mark.parametrize("x", [-3.0, -0.1, 0.1, 3.0])
def test_it_starts_as_a_leaky_relu_whose_slope_learns(x):
    assert value(x) == pytest.approx(x if x > 0 else 0.15 * x, abs=1e-7)
    act = create("sau")
    assert [name for name, _ in act.named_parameters()] == ["alpha"]
    act(torch.tensor([x])).sum().backward()
    assert act.alpha.grad.item() == pytest.approx(min(x, 0), abs=1e-6)
    with pytest.raises(UsageError, match="sigma=0 must be positive"):
        create("sau", sigma=0)
