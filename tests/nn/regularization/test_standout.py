import math

import pytest
import torch

from torchatlas.nn.regularization import Standout


def test_units_are_kept_by_what_they_see():
    torch.manual_seed(0)
    layer = Standout(3, 4, alpha=1.5, beta=-0.3, activation="tanh").double()
    x = torch.randn(3, dtype=torch.double)
    draws = layer(x.expand(20_000, 3))
    weight, bias = layer.linear.weight.tolist(), layer.linear.bias.tolist()
    still = layer.eval()(x).tolist()
    for j in range(4):
        z = sum(w * value for w, value in zip(weight[j], x.tolist(), strict=True)) + bias[j]
        keep = 1 / (1 + math.exp(-(1.5 * z - 0.3)))
        assert still[j] == pytest.approx(keep * math.tanh(z), abs=1e-12)
        assert (draws[:, j] != 0).double().mean().item() == pytest.approx(keep, abs=0.015)
        assert draws[:, j].abs().max().item() == pytest.approx(abs(math.tanh(z)), abs=1e-12)


def test_without_alpha_all_units_are_kept_alike():
    layer, x = Standout(5, 6, alpha=0.0, beta=1.0), torch.randn(2, 5)
    expected = layer.linear(x).relu() / (1 + math.exp(-1))
    torch.testing.assert_close(layer.eval()(x), expected)
