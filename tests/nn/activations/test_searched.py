from math import exp, isclose, log1p, tanh

import pytest
import torch

from torchatlas import create

FORMULAS = {
    "swish": lambda x: x / (1 + exp(-x)),
    "hardswish": lambda x: x * min(max(x + 3, 0), 6) / 6,
    "mish": lambda x: x * tanh(log1p(exp(x))),
}
KNOWN = [
    ("swish", 1, 0.731059),
    ("swish", -1, -0.268941),
    ("hardswish", -2, -1 / 3),
    ("hardswish", 2, 5 / 3),
    ("hardswish", -1.5, -0.375),
    ("mish", 1, 0.865098),
    ("mish", -1, -0.303401),
]


def value(name: str, x: float) -> float:
    return create(name)(torch.tensor([x], dtype=torch.double)).item()


@pytest.mark.parametrize("x", [-9.0, -3.0, -1.0, -0.4, 0.0, 0.4, 1.0, 3.0, 9.0])
@pytest.mark.parametrize("name", FORMULAS)
def test_it_is_the_formula(name, x):
    assert isclose(value(name, x), FORMULAS[name](x), rel_tol=1e-12, abs_tol=1e-12)


@pytest.mark.parametrize(("name", "x", "y"), KNOWN)
def test_known_values(name, x, y):
    assert value(name, x) == pytest.approx(y, abs=5e-7)
