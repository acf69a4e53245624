import math

import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from windows import drawn, equal, numbers

from .plain import batch_norm, shaken, sigmoid

X = drawn(2, 6, 4, 5) * 3 + 1


@pytest.mark.parametrize("name", ["srm"])
def test_style_is_mean_and_deviation(name):
    layer, x = shaken(name, channels=6), numbers(X)
    w, scores = numbers(layer.weight), np.zeros((2, 6, 1, 1))
    for n, c in np.ndindex(2, 6):
        values = x[n, c].ravel().tolist()
        mean = math.fsum(values) / 20
        deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / 20 + 1e-5)
        scores[n, c] = w[c, 0] * mean + w[c, 1] * deviation
    equal(layer(X), x * sigmoid(batch_norm(layer.norm, scores)))
    assert sum(p.numel() for p in layer.parameters()) == 4 * 6


@pytest.mark.parametrize("name", ["nam"])
def test_scales_of_the_norm_are_shares(name):
    layer, x = shaken(name, channels=6), numbers(X)
    gamma = np.abs(numbers(layer.norm.weight))
    equal(layer(X), x * sigmoid((gamma / gamma.sum())[:, None, None] * batch_norm(layer.norm, x)))


@pytest.mark.parametrize("name", ["nam"])
def test_equal_scales_are_equal_shares(name):
    layer, x = create(name, channels=6).double().eval(), numbers(X)
    equal(layer(X), x * sigmoid(x / math.sqrt(1 + 1e-5) / 6), 1e-6)


@pytest.mark.parametrize("name", ["sge"])
def test_positions_like_the_groups_mean(name):
    layer, x = shaken(name, channels=6, groups=2), numbers(X)
    y = np.zeros(x.shape)
    for n, g in np.ndindex(2, 2):
        part = x[n, 3 * g : 3 * g + 3]
        c = sum(part[k] * part[k].mean() for k in range(3))
        c = (c - c.mean()) / np.sqrt(c.var() + 1e-5)
        y[n, 3 * g : 3 * g + 3] = part * sigmoid(layer.weight[g].item() * c + layer.bias[g].item())
    equal(layer(X), y)


@pytest.mark.parametrize("name", ["sge"])
def test_at_first_every_weight_is_the_sigmoid_of_one(name):
    layer = create(name, channels=128).double()
    assert sum(p.numel() for p in layer.parameters()) == 128
    x = drawn(2, 128, 3, 3)
    equal(layer(x), x / (1 + math.exp(-1)))
    with pytest.raises(UsageError, match="groups"):
        create(name, channels=6, groups=4)


@pytest.mark.parametrize("name", ["simam"])
def test_energy_of_each_number(name):
    x, y = numbers(X), np.zeros(X.shape)
    for n, c in np.ndindex(2, 6):
        values = x[n, c]
        d = (values - values.mean()) ** 2
        y[n, c] = values * sigmoid(d / (4 * (d.sum() / 19 + 1e-4)) + 0.5)
    equal(create(name)(X), y)


@pytest.mark.parametrize("name", ["simam"])
def test_constant_and_lonely_numbers(name):
    for x in (torch.full((1, 2, 3, 3), 7.0), torch.full((1, 2, 1, 1), -3.0)):
        equal(create(name)(x), x / (1 + math.exp(-0.5)), 1e-6)
    with pytest.raises(UsageError, match="lambda_"):
        create(name, lambda_=0)
