from math import exp, isclose

import pytest
import torch

from torchatlas import create

POINTS = (-9.0, -3.0, -1.0, -0.4, 0.0, 0.4, 1.0, 3.0, 9.0)
FORMULAS = {
    "sigmoid": lambda x: 1 / (1 + exp(-x)),
    "hardsigmoid": lambda x: min(max(x + 3, 0), 6) / 6,
    "tanh": lambda x: (1 - exp(-2 * x)) / (1 + exp(-2 * x)),
    "hardtanh": lambda x: min(max(x, -1), 1),
}
KNOWN = [("sigmoid", 1, 0.731059), ("tanh", 1, 0.761594), ("hardsigmoid", 1, 0.666667), ("hardtanh", -2, -1)]


def value(name: str, x: float) -> float:
    return create(name)(torch.tensor([x], dtype=torch.double)).item()


@pytest.mark.parametrize("x", POINTS)
@pytest.mark.parametrize("name", FORMULAS)
def test_it_is_the_formula(name, x):
    assert isclose(value(name, x), FORMULAS[name](x), rel_tol=1e-12, abs_tol=1e-12)


@pytest.mark.parametrize(("name", "x", "y"), KNOWN)
def test_known_values(name, x, y):
    assert value(name, x) == pytest.approx(y, abs=5e-7)


@pytest.mark.parametrize("x", POINTS)
def test_tanh_is_a_stretched_sigmoid(x):
    assert isclose(value("tanh", x), 2 * value("sigmoid", 2 * x) - 1, abs_tol=1e-12)


def test_softmax_runs_over_the_last_dimension():
    scores = torch.tensor([[2.0, 1.0, 0.0], [0.0, 0.0, 0.0]], dtype=torch.double)
    expected = [[exp(z) / (exp(2) + exp(1) + 1) for z in (2, 1, 0)], [1 / 3] * 3]
    assert torch.allclose(create("softmax")(scores), torch.tensor(expected, dtype=torch.double))
    assert create("softmax")(scores)[0].tolist() == pytest.approx([0.665241, 0.244728, 0.090031], abs=5e-7)
    assert torch.allclose(create("softmax")(scores + 700), create("softmax")(scores))
