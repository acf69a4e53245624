from math import exp, isclose

import pytest
import torch

from torchatlas import create

POINTS = (-30.0, -9.0, -3.0, -1.0, -0.5, -1e-3, 0.0, 1e-3, 0.5, 1.0, 3.0, 30.0)
FORMULAS = {
    "elish": lambda x: (x if x >= 0 else exp(x) - 1) / (1 + exp(-x)),
    "hardelish": lambda x: (x if x >= 0 else exp(x) - 1) * max(0, min(1, (x + 1) / 2)),
}
KNOWN = [
    ("elish", -1, -0.170003),
    ("elish", -2, -0.103071),
    ("elish", 1, 0.731059),
    ("hardelish", -0.5, -0.098367),
    ("hardelish", -1, 0),
    ("hardelish", -7, 0),
    ("hardelish", 0.5, 0.375),
    ("hardelish", 1, 1),
    ("hardelish", 8, 8),
]


def value(name: str, x: float) -> float:
    return create(name)(torch.tensor([x], dtype=torch.double)).item()


@pytest.mark.parametrize("x", POINTS)
@pytest.mark.parametrize("name", FORMULAS)
def test_it_is_the_formula(name, x):
    assert isclose(value(name, x), FORMULAS[name](x), rel_tol=1e-12, abs_tol=1e-12)


@pytest.mark.parametrize(("name", "x", "y"), KNOWN)
def test_known_values(name, x, y):
    assert value(name, x) == pytest.approx(y, abs=5e-7)


@pytest.mark.parametrize("name", FORMULAS)
def test_the_slope_is_one_half_on_both_sides_of_zero(name):
    x = torch.tensor([-1e-9, 0.0, 1e-9], dtype=torch.double, requires_grad=True)
    create(name)(x).sum().backward()
    assert x.grad.tolist() == pytest.approx([0.5] * 3, abs=1e-6)
