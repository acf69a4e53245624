"""Activations beside NumPy, SciPy and transformers: whole range, zero, float32 and bfloat16."""

import numpy as np
import pytest
import torch
from scipy import special
from transformers.activations import ACT2FN

from torchatlas import create

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def gated(x):
    first, second = np.split(x, 2, -1)
    return first * special.expit(second)


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
    tolerance = 16 * torch.finfo(dtype).eps if name != "softplus" else max(16 * torch.finfo(dtype).eps, 3e-9)
    module = create(name).to(dtype)
    with torch.no_grad():
        ours = module(x)
    assert ours.dtype == dtype
    if dtype == torch.double:
        same(name, peer, ours, function(x.numpy()), tolerance)
        return
    small = x.abs() < 8  # where the largest number does not hide the others
    theirs = torch.from_numpy(function(x.double().numpy()))
    kept = small if theirs.shape == x.shape else torch.ones_like(theirs, dtype=torch.bool)
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
