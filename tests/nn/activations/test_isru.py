from math import isclose, sqrt

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError

POINTS = (-9.0, -3.0, -1.0, -0.4, 0.0, 0.4, 1.0, 3.0, 9.0)
FORMULAS = {
    "isru": lambda x, a: x / sqrt(1 + a * x * x),
    "isrlu": lambda x, a: x if x >= 0 else x / sqrt(1 + a * x * x),
}
KNOWN = [("isru", 1, 0.707107), ("isru", 2, 0.894427), ("isrlu", -1, -0.707107), ("isrlu", 5, 5)]


def value(name: str, x: float, **options: float) -> float:
    return create(name, **options)(torch.tensor([x], dtype=torch.double)).item()


@pytest.mark.parametrize("alpha", [1.0, 3.0, 0.2])
@pytest.mark.parametrize("x", POINTS)
@pytest.mark.parametrize("name", FORMULAS)
def test_it_is_the_formula(name, x, alpha):
    assert isclose(value(name, x, alpha=alpha), FORMULAS[name](x, alpha), rel_tol=1e-12, abs_tol=1e-12)


@pytest.mark.parametrize(("name", "x", "y"), KNOWN)
def test_known_values(name, x, y):
    assert value(name, x) == pytest.approx(y, abs=5e-7)


@pytest.mark.parametrize("name", FORMULAS)
def test_it_bends_smoothly_at_zero(name):
    x = torch.tensor([-1e-7, 1e-7], dtype=torch.double, requires_grad=True)
    (slope,) = torch.autograd.grad(create(name)(x).sum(), x, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), x)
    assert slope.tolist() == pytest.approx([1, 1]) and bend.tolist() == pytest.approx([0, 0], abs=1e-6)


@pytest.mark.parametrize("name", FORMULAS)
def test_what_is_too_large_to_square_saturates(name):
    x = torch.tensor([-1e30], requires_grad=True)
    y = create(name)(x)
    y.sum().backward()
    assert y.item() == pytest.approx(-1) and x.grad.item() == 0
    with pytest.raises(UsageError, match="alpha=-1 must be positive"):
        create(name, alpha=-1)


@pytest.mark.parametrize("alpha", [3.0, 0.2])
@pytest.mark.parametrize("at", [-3.0, -0.4, 0.4, 3.0])
@pytest.mark.parametrize("name", FORMULAS)
def test_its_slope_is_that_of_the_formula(name, at, alpha):
    x = torch.tensor([at], dtype=torch.double, requires_grad=True)
    create(name, alpha=alpha)(x).sum().backward()
    steep = (FORMULAS[name](at + 1e-5, alpha) - FORMULAS[name](at - 1e-5, alpha)) / 2e-5
    assert x.grad.item() == pytest.approx(steep, rel=1e-7)
