from math import erf, exp, isclose, log1p, pi, sqrt, tanh

import pytest
import torch

from torchatlas import create, get

POINTS = (-9.0, -3.0, -1.0, -0.4, 0.0, 0.4, 1.0, 3.0, 9.0)
SCALE, ALPHA = 1.0507009873554805, 1.6732632423543772
FORMULAS = {
    "relu": lambda x: max(x, 0),
    "relu6": lambda x: min(max(x, 0), 6),
    "softplus": lambda x: log1p(exp(x)),
    "leaky_relu": lambda x: max(x, 0.01 * x),
    "prelu": lambda x: max(x, 0.25 * x),
    "elu": lambda x: x if x >= 0 else exp(x) - 1,
    "celu": lambda x: x if x >= 0 else exp(x) - 1,
    "selu": lambda x: SCALE * (x if x >= 0 else ALPHA * (exp(x) - 1)),
    "gelu": lambda x: x / 2 * (1 + erf(x / sqrt(2))),
    "identity": lambda x: x,
}
KNOWN = [
    ("softplus", 0, 0.693147),
    ("softplus", 1, 1.313262),
    ("leaky_relu", -2, -0.02),
    ("elu", -1, -0.632121),
    ("elu", -2, -0.864665),
    ("gelu", -1, -0.158655),
    ("gelu", 2, 1.954500),
    ("selu", 1, 1.050701),
    ("selu", -1, -1.111331),
]


def value(name: str, x: float, **options: object) -> float:
    return create(name, **options).double().eval()(torch.tensor([[x]], dtype=torch.double)).item()


@pytest.mark.parametrize("x", POINTS)
@pytest.mark.parametrize("name", FORMULAS)
def test_it_is_the_formula(name, x):
    assert isclose(value(name, x), FORMULAS[name](x), rel_tol=1e-12, abs_tol=1e-12)


@pytest.mark.parametrize(("name", "x", "y"), KNOWN)
def test_known_values(name, x, y):
    assert value(name, x) == pytest.approx(y, abs=5e-7)


@pytest.mark.parametrize("x", POINTS)
def test_options_do_what_the_cards_say(x):
    cubic = sqrt(2 / pi) * (x + 0.044715 * x**3)
    assert isclose(value("gelu", x, approximate="tanh"), x / 2 * (1 + tanh(cubic)), abs_tol=1e-12)
    assert isclose(value("celu", x, alpha=2.0), x if x >= 0 else 2 * (exp(x / 2) - 1), abs_tol=1e-12)
    assert isclose(value("softplus", x, beta=3.0), log1p(exp(3 * x)) / 3, abs_tol=1e-9)


def test_relu_has_slope_zero_at_zero():
    x = torch.zeros(1, requires_grad=True)
    create("relu")(x).sum().backward()
    assert x.grad == 0


def test_prelu_learns_one_slope_per_channel():
    act = create("prelu", num_parameters=3)
    assert [p.shape for p in act.parameters()] == [(3,)]
    x = torch.tensor([[[-1.0], [-2.0], [4.0]]])
    act(x).sum().backward()
    assert act.weight.grad.tolist() == [-1, -2, 0]


def test_rrelu_draws_slopes_while_training_and_takes_their_mean_afterwards():
    act, x = get("rrelu")(), -torch.ones(20_000)
    assert value("rrelu", -1) == pytest.approx(-(1 / 8 + 1 / 3) / 2, abs=1e-7)
    slopes = -act(x)
    assert 1 / 8 <= slopes.min() < 0.13 < 0.33 < slopes.max() <= 1 / 3
    assert slopes.mean() == pytest.approx(11 / 48, abs=3e-3)


def test_selu_keeps_zero_mean_and_unit_variance():
    z = torch.linspace(-12, 12, 400_001, dtype=torch.double)
    weight = torch.exp(-(z**2) / 2) / sqrt(2 * pi) * (z[1] - z[0])
    y = create("selu")(z)
    assert (y * weight).sum().item() == pytest.approx(0, abs=1e-6)
    assert (y**2 * weight).sum().item() == pytest.approx(1, abs=1e-6)
