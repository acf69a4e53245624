"""Skip connections against their formulas in NumPy, and what each lets pass."""

import numpy as np
import pytest
import torch
from torch import nn

from torchatlas.engine.errors import UsageError
from torchatlas.nn.connections import SkipConnection


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("dim", [1, -1, 2])
def test_the_three_ways(dim):
    draw = np.random.default_rng(0)
    x = draw.normal(size=(3, 4, 4, 4))
    inputs = torch.from_numpy(x)
    added = SkipConnection(nn.Tanh(), dim=dim)(inputs).numpy()
    np.testing.assert_allclose(added, x + np.tanh(x), atol=1e-14)
    joined = SkipConnection("tanh", "concat", dim=dim)(inputs).numpy()
    np.testing.assert_allclose(joined, np.concatenate((x, np.tanh(x)), dim), atol=1e-15)
    gated = SkipConnection(torch.nn.Tanh, "gated", 4, dim).double()
    w, b = gated.gate.weight.detach().numpy(), gated.gate.bias.detach().numpy()
    assert (b == -2).all()
    across = np.moveaxis(x, dim, -1)
    gate = np.moveaxis(sigmoid(across @ w.T + b), -1, dim)
    np.testing.assert_allclose(gated(inputs).detach().numpy(), gate * np.tanh(x) + (1 - gate) * x, atol=1e-14)


class Nothing(nn.Module):
    def forward(self, x):
        return x * 0


@pytest.mark.parametrize("words", [{"way": "add"}, {"way": "gated", "channels": 5, "gate_bias": -30.0}])
def test_beside_a_body_of_nothing_the_input_and_its_gradient_pass(words):
    x = torch.randn(2, 5, 3, 3, requires_grad=True)
    y = SkipConnection(Nothing(), **words)(x)
    torch.testing.assert_close(y, x)
    y.sum().backward()
    torch.testing.assert_close(x.grad, torch.ones_like(x))


@pytest.mark.parametrize(
    ("words", "told"), [({"way": "multiply"}, "add, concat, gated"), ({"way": "gated"}, "channels=64")]
)
def test_wrong_words(words, told):
    with pytest.raises(UsageError, match=told):
        SkipConnection(nn.Tanh(), **words)
