"""Activations beside NumPy, SciPy and transformers: whole range, zero, float32 and bfloat16."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from numpy.polynomial import Polynomial, chebyshev, hermite, hermite_e, laguerre, legendre
from scipy import special
from transformers.activations import ACT2FN

from torchatlas import create

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
# Theirs cancel (ours of softplus is a line from 20 on), and SciPy's normal distribution has its own rounding.
SLACK = {"softplus": 3e-9, "squareplus": 2e-12, "pau": 1e-11, "geglu": 1e-14}


def gated(x, gate=special.expit):
    first, second = np.split(x, 2, -1)
    return first * gate(second)


def blurred(x):
    """LeakyReLU of slope a under a normal density, as an expectation: the density and its tail."""
    slope, spread = float(np.float32(0.15)), 5e-5
    z = x / spread
    positive = x * special.ndtr(z) + spread * np.exp(-np.minimum(z * z, 1400) / 2) / np.sqrt(2 * np.pi)
    return slope * x + (1 - slope) * positive


def quotient(x):
    act = create("pau")
    above, below = (Polynomial(p.detach().double().numpy()) for p in (act.a, act.b))
    return above(x) / (1 + np.abs(x * below(x)))


PEERS = {
    "relu": ("numpy.maximum", lambda x: np.maximum(x, 0)),
    "relu6": ("numpy.clip", lambda x: np.clip(x, 0, 6)),
    "softplus": ("numpy.logaddexp", lambda x: np.logaddexp(x, 0)),
    "leaky_relu": ("numpy.where", lambda x: np.where(x < 0, 0.01 * x, x)),
    "prelu": ("numpy.where", lambda x: np.where(x < 0, 0.25 * x, x)),
    "elu": ("numpy.expm1", lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0)), x)),
    "celu": ("numpy.expm1", lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0)), x)),
    "selu": (
        "numpy.expm1",
        lambda x: SELU_SCALE * np.where(x < 0, SELU_ALPHA * np.expm1(np.minimum(x, 0)), x),
    ),
    "gelu": ("scipy.special.ndtr", lambda x: x * special.ndtr(x)),
    "identity": ("numpy.positive", np.positive),
    "sigmoid": ("scipy.special.expit", special.expit),
    "hardsigmoid": ("numpy.clip", lambda x: np.clip(x / 6 + 0.5, 0, 1)),
    "tanh": ("numpy.tanh", np.tanh),
    "hardtanh": ("numpy.clip", lambda x: np.clip(x, -1, 1)),
    "softmax": ("scipy.special.softmax", lambda x: special.softmax(x, -1)),
    "swish": ("scipy.special.expit", lambda x: x * special.expit(x)),
    "hardswish": ("numpy.clip", lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    "mish": ("numpy.logaddexp", lambda x: x * np.tanh(np.logaddexp(x, 0))),
    "glu": ("scipy.special.expit", gated),
    "step": ("numpy.heaviside", lambda x: np.heaviside(x, 1.0)),
    "isru": ("numpy.hypot", lambda x: x / np.hypot(x, 1)),
    "isrlu": ("numpy.hypot", lambda x: np.where(x < 0, x / np.hypot(x, 1), x)),
    "squareplus": ("jax.nn.squareplus", lambda x: np.asarray(jax.nn.squareplus(jnp.asarray(x)))),
    "elish": (
        "scipy.special.expit",
        lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0)), x) * special.expit(x),
    ),
    "hardelish": (
        "numpy.clip",
        lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0)), x) * np.clip(x / 2 + 0.5, 0, 1),
    ),
    "swish_beta": ("scipy.special.expit", lambda x: x * special.expit(x)),
    "smu": ("scipy.special.erf", lambda x: (1.25 * x + 0.75 * x * special.erf(7.5e5 * x)) / 2),
    "smu_1": ("numpy.hypot", lambda x: (1.25 * x + np.hypot(0.75 * x, 4.352665993287951e-9)) / 2),
    "sau": ("scipy.special.ndtr", blurred),
    "pau": ("numpy.polynomial", quotient),
    "reglu": ("numpy.maximum", lambda x: gated(x, lambda b: np.maximum(b, 0))),
    "geglu": ("scipy.special.ndtr", lambda x: gated(x, lambda b: b * special.ndtr(b))),
    "swiglu": ("scipy.special.expit", lambda x: gated(x, lambda b: b * special.expit(b))),
}


def inputs(dtype=torch.double):
    """Numbers of all sizes with both zeros and the corners of straight pieces, in an odd shape."""
    edges = torch.tensor(
        [0.0, -0.0, 1e-30, -1e-30, 1e-4, -1e-4, 3.0, -3.0, 6.0, 1.0, -1.0, 90.0, -90.0, 1e4, -1e4]
    )
    return torch.cat([edges, torch.randn(141) * 4]).to(dtype).reshape(6, 26)


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("dtype", [torch.double, torch.float, torch.bfloat16], ids=str)
def test_values(same, name, dtype):
    peer, function = PEERS[name]
    x = inputs(dtype)
    tolerance = max(16 * torch.finfo(dtype).eps, SLACK.get(name, 0))
    module = create(name).to(dtype)
    with torch.no_grad():
        ours = module(x)
    assert ours.dtype == dtype
    if dtype == torch.double:
        same(name, peer, ours, function(x.numpy()), tolerance)
        return
    small = x.abs() < 8  # where the largest number does not hide the others
    theirs = torch.from_numpy(function(x.double().numpy()))
    kept = small if theirs.shape == x.shape else small.unflatten(1, (2, -1)).all(1)  # of both halves
    assert torch.allclose(ours.double()[kept], theirs[kept], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    "name, key",
    [
        ("gelu", "gelu_python"),
        ("relu6", "relu6"),
        ("mish", "mish"),
        ("swish", "silu"),
        ("gelu_tanh", "gelu_new"),
    ],
)
def test_transformers(same, name, key):
    ours = create("gelu", approximate="tanh") if name == "gelu_tanh" else create(name)
    x = inputs().clamp(-100, 100)
    peer = type(ACT2FN[key])
    same(
        name.removesuffix("_tanh"),
        f"transformers.activations.{peer.__name__}",
        ours(x),
        ACT2FN[key](x),
        1e-12,
    )


def test_the_slope_of_rrelu(same):
    x = inputs().float()
    same("rrelu", "numpy.where", create("rrelu").eval()(x), np.where(x < 0, x * 11 / 48, x), 1e-6)
    slopes = (create("rrelu").train()(-torch.ones(5000))).neg()
    assert 1 / 8 <= slopes.min() < 0.13 and 0.32 < slopes.max() <= 1 / 3


SERIES = {
    "hermite": hermite_e.hermeval,
    "hermite_physicists": hermite.hermval,
    "legendre": legendre.legval,
    "laguerre": laguerre.lagval,
    "chebyshev": chebyshev.chebval,
}


@pytest.mark.parametrize("basis", SERIES)
def test_orthogonal_polynomials(same, basis):
    act, x = create("opau", basis=basis).double(), torch.linspace(-4, 4, 101, dtype=torch.double)
    with torch.no_grad():
        act.c.normal_()
        act.d.normal_()
    series, points = SERIES[basis], x.numpy()
    single = [series(points, np.eye(6)[k]) for k in range(6)]
    below = 1 + sum(np.abs(d * f) for d, f in zip(act.d.tolist(), single[1:]))
    same("opau", f"numpy.polynomial.{series.__name__}", act(x), series(points, act.c.tolist()) / below, 1e-11)


def test_pieces_between_points(same):
    act = create("pwlu", channels=1, settling=0).double()
    with torch.no_grad():
        act.points.normal_()
    knots = np.linspace(-3, 3, 17)
    heights = np.maximum(knots, 0) + act.points[0].detach().numpy()
    x = torch.linspace(-3, 3, 1001, dtype=torch.double)
    same("pwlu", "numpy.interp", act(x[:, None])[:, 0], np.interp(x.numpy(), knots, heights), 1e-11)


def test_the_largest_of_maps(same):
    layer, x = create("maxout", in_features=5, out_features=3, pieces=4).double(), torch.randn(7, 5).double()
    weight = layer.maps.weight.detach().numpy().reshape(3, 4, 5)
    bias = layer.maps.bias.detach().numpy().reshape(3, 4)
    expected = (np.einsum("ijk,bk->bij", weight, x.numpy()) + bias).max(2)
    same("maxout", "numpy.einsum", layer(x), expected, 1e-12)


def test_smooth_maximum(same):
    act, x = create("acon", channels=26).double(), inputs()
    p1, p2, beta = (p.detach().numpy() for p in (act.p1, act.p2, act.beta))
    d = (p1 - p2) * x.numpy()
    same("acon", "scipy.special.expit", act(x), d * special.expit(beta * d) + p2 * x.numpy(), 1e-12)


def test_hinges(same):
    act, x = create("apl", channels=26, hinges=3).double(), inputs()
    a, b = act.a.detach().numpy(), act.b.detach().numpy()
    hinges = np.einsum("cs,ncs->nc", a, np.maximum(b - x.numpy()[..., None], 0))
    same("apl", "numpy.einsum", act(x), np.maximum(x.numpy(), 0) + hinges, 1e-12)
