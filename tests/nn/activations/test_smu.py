from math import erf, exp, isclose, pi, sqrt

import pytest
import torch

from torchatlas import create

POINTS = (-9.0, -3.0, -1.0, -0.4, 0.0, 0.4, 1.0, 3.0, 9.0)


def smu(x: float, alpha: float, mu: float) -> float:
    return ((1 + alpha) * x + (1 - alpha) * x * erf(mu * (1 - alpha) * x)) / 2


def smu_1(x: float, alpha: float, mu: float) -> float:
    return ((1 + alpha) * x + sqrt(((1 - alpha) * x) ** 2 + mu**2)) / 2


def act(name: str, **options: float) -> torch.nn.Module:
    made = create(name, **options)
    with torch.no_grad():
        made.double().mu.fill_(options.get("mu", made.mu.item()))  # single precision rounds the start
    return made


def value(name: str, x: float, **options: float) -> float:
    return act(name, **options)(torch.tensor([x], dtype=torch.double)).item()


@pytest.mark.parametrize(("name", "formula"), [("smu", smu), ("smu_1", smu_1)])
@pytest.mark.parametrize("alpha", [0.25, 0.0, -0.3, 1.0])
@pytest.mark.parametrize("mu", [1.0, 0.2, 5.0])
@pytest.mark.parametrize("x", POINTS)
def test_it_is_the_formula(name, formula, x, mu, alpha):
    assert isclose(value(name, x, mu=mu, alpha=alpha), formula(x, alpha, mu), rel_tol=1e-12, abs_tol=1e-12)


@pytest.mark.parametrize("name", ["smu"])
def test_known_values(name):
    assert value(name, 1, mu=1) == pytest.approx(0.891683, abs=5e-7)
    assert value(name, -1, mu=1) == pytest.approx(-0.358317, abs=5e-7)
    for x in POINTS:
        gelu = x / 2 * (1 + erf(x / sqrt(2)))
        assert isclose(value(name, x, alpha=0, mu=1 / sqrt(2)), gelu, rel_tol=1e-12, abs_tol=1e-12)


@pytest.mark.parametrize("name", ["smu", "smu_1"])
@pytest.mark.parametrize("x", POINTS)
def test_it_starts_as_a_leaky_relu_of_slope_one_quarter(name, x):
    assert value(name, x) == pytest.approx(x if x >= 0 else x / 4, abs=1e-8)
    assert [p.shape for p in create(name).parameters()] == [()]


@pytest.mark.parametrize("x", [-1.3, -0.2, 0.4, 1.1])
def test_the_smoothness_learns(x):
    made = act("smu", mu=0.9)
    made(torch.tensor([x], dtype=torch.double)).sum().backward()
    z = 0.9 * 0.75 * x
    assert made.mu.grad.item() == pytest.approx((0.75 * x) ** 2 * exp(-z * z) / sqrt(pi))
    made = act("smu_1", mu=0.9)
    made(torch.tensor([x], dtype=torch.double)).sum().backward()
    assert made.mu.grad.item() == pytest.approx(0.9 / 2 / sqrt((0.75 * x) ** 2 + 0.81))


def test_a_smoothness_of_zero_has_finite_gradients():
    x = torch.tensor([-1.0, 0.0, 1.0], requires_grad=True)
    made = create("smu_1", mu=0.0)
    made(x).sum().backward()
    assert torch.isfinite(x.grad).all() and torch.isfinite(made.mu.grad)
