from math import log, sqrt

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError


def value(x: float, dtype: torch.dtype = torch.double, **options: float) -> float:
    return create("squareplus", **options)(torch.tensor([x], dtype=dtype)).item()


@pytest.mark.parametrize("b", [4.0, 0.3, 1e-6])
@pytest.mark.parametrize("x", [-9.0, -3.0, -0.5, 0.0, 1.0, 20.0])
def test_it_is_the_formula_and_solves_its_equation(x, b):
    y = value(x, b=b)
    assert y == pytest.approx((x + sqrt(x * x + b)) / 2, rel=1e-9, abs=1e-13)
    assert y > 0 and y * (y - x) == pytest.approx(b / 4, rel=1e-9)


def test_known_values():
    assert value(0) == 1 and value(1) == pytest.approx(1.618034, abs=5e-7)
    assert value(0, b=4 * log(2) ** 2) == pytest.approx(log(2))
    assert [value(x, b=0) for x in (-2.0, 0.0, 3.0)] == [0, 0, 3]


def test_single_precision_keeps_what_a_sum_would_cancel():
    assert value(-1e4, torch.float32) == pytest.approx(1e-4, rel=1e-5)


def test_its_slope_at_zero_is_one_half_and_relus_is_zero():
    for b, slope in ((4.0, 0.5), (0.0, 0.0)):
        x = torch.zeros(1, requires_grad=True)
        create("squareplus", b=b)(x).sum().backward()
        assert x.grad.item() == slope
    with pytest.raises(UsageError, match="must not be negative"):
        create("squareplus", b=-1)


@pytest.mark.parametrize("b", [0.3, 9.0])
@pytest.mark.parametrize("at", [-20.0, -0.5, 1.0])
def test_its_slope_is_that_of_the_formula(at, b):
    x = torch.tensor([at], dtype=torch.double, requires_grad=True)
    create("squareplus", b=b)(x).sum().backward()
    assert x.grad.item() == pytest.approx((1 + at / sqrt(at * at + b)) / 2, rel=1e-9)
