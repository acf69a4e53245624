from math import sqrt

import numpy as np
import pytest
import torch
from torch import nn

from torchatlas import create

X = torch.randn(6, 5, dtype=torch.double, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", ["weight_norm"])
def test_length_and_direction_are_learned_apart(name):
    layer = nn.Linear(5, 3).double()
    before = layer.weight.detach().clone()
    assert create(name)(layer) is layer and torch.allclose(layer.weight, before)
    length, direction = layer.parametrizations.weight.original0, layer.parametrizations.weight.original1
    with torch.no_grad():
        length.copy_(torch.tensor([[2.0], [-1.0], [0.5]]))
    for row, v, g in zip(layer.weight.tolist(), direction.tolist(), (2.0, -1.0, 0.5), strict=True):
        norm = sqrt(sum(x * x for x in v))
        assert row == pytest.approx([g * x / norm for x in v])
    layer(X).square().sum().backward()
    assert (direction.grad * direction).sum(1).abs().max() < 1e-10  # a step never shortens v


@pytest.mark.parametrize("name", ["spectral_norm"])
@pytest.mark.parametrize("layer", [nn.Linear(5, 3), nn.Conv2d(2, 4, 3)])
def test_the_largest_singular_value_becomes_one(name, layer):
    before = layer.weight.detach().double().flatten(1).numpy()
    create(name)(layer)
    for _ in range(200):  # each use while training is a step of power iteration
        layer.weight  # noqa: B018
    got = layer.weight.detach().double().flatten(1).numpy()
    assert np.allclose(got, before / np.linalg.svd(before)[1][0], atol=1e-5)


@pytest.mark.parametrize("name", ["adabn"])
def test_running_statistics_become_those_of_the_new_domain(name):
    net = nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3)).double()
    net(X * 10 + 3)
    weights = {k: v.detach().clone() for k, v in net.named_parameters()}
    create(name)([X], net.eval())
    features = net[0](X).detach()
    for c in range(3):
        values = features[:, c].tolist()
        mean = sum(values) / 6
        assert net[1].running_mean[c].item() == pytest.approx(mean)
        assert net[1].running_var[c].item() == pytest.approx(sum((v - mean) ** 2 for v in values) / 5)
    assert not net.training and all(torch.equal(weights[k], v) for k, v in net.named_parameters())
    y = net(X)
    create(name)([X], net)
    assert torch.allclose(net(X), y)
