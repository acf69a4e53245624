import math

import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from windows import drawn, equal, numbers

from .plain import means, pointwise, relu, shaken, sigmoid

X = drawn(3, 6, 7, 5)
RESNET50 = [(256, 3), (512, 4), (1024, 6), (2048, 3)]  # channels and blocks of each stage


def excited(layers, z):
    return sigmoid(pointwise(layers[2], relu(pointwise(layers[0], z))))


@pytest.mark.parametrize("name", ["se"])
@pytest.mark.parametrize("bias", [False, True])
def test_channels_are_weighted_by_their_means(name, bias):
    layer, x = shaken(name, channels=6, reduction=3, bias=bias), numbers(X)
    equal(layer(X), x * excited(layer.excite, means(x)))


@pytest.mark.parametrize("name", ["se"])
def test_one_channel_by_hand(name):
    layer = create(name, channels=1).double()
    with torch.no_grad():
        for parameter, value in zip(layer.parameters(), (2.0, -0.5), strict=True):
            parameter.fill_(value)
    x = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]]]], dtype=torch.double)  # mean 3, so σ(-0.5 · 6) = σ(-3)
    equal(layer(x), x / (1 + math.exp(3)))


@pytest.mark.parametrize(("name", "bias", "total"), [("se", False, 2_514_944), ("se", True, 2_530_992)])
def test_parameters_in_resnet50(name, bias, total):
    """SE-ResNet-50 has 28,071,976 parameters, 28,088,024 with biases; ResNet-50 25,557,032."""
    sizes = [sum(p.numel() for p in create(name, channels=c, bias=bias).parameters()) for c, _ in RESNET50]
    assert sum(size * blocks for size, (_, blocks) in zip(sizes, RESNET50)) == total
    assert 25_557_032 + total in (28_071_976, 28_088_024)


@pytest.mark.parametrize("name", ["tse"])
@pytest.mark.parametrize("tile", [2, 3, (1, 4), (3, 5)])
def test_each_tile_is_weighted_by_its_own_means(name, tile):
    layer, x = shaken(name, channels=6, reduction=3, tile=tile), numbers(X)
    (high, wide), y = (tile, tile) if isinstance(tile, int) else tile, np.zeros(x.shape)
    for i in range(0, 7, high):
        for j in range(0, 5, wide):
            part = x[:, :, i : i + high, j : j + wide]
            y[:, :, i : i + high, j : j + wide] = part * excited(layer.excite, means(part))
    equal(layer(X), y)


@pytest.mark.parametrize("name", ["tse"])
def test_a_tile_as_large_as_the_map_is_squeeze_and_excitation(name):
    layer, other = (
        shaken(name, channels=6, reduction=3, tile=9),
        create("se", channels=6, reduction=3).double(),
    )
    other.load_state_dict(layer.state_dict())
    equal(layer(X), other(X))
    with pytest.raises(UsageError, match="tile"):
        create(name, channels=6, tile=0)


@pytest.mark.parametrize("name", ["spanet_att"])
def test_a_pyramid_of_means(name):
    layer, x = shaken(name, channels=3, reduction=1), numbers(drawn(2, 3, 8, 4))
    found = []
    for size in (1, 2, 4):
        blocks = x.reshape(2, 3, size, 8 // size, size, 4 // size)
        found.append(blocks.mean((3, 5)).reshape(2, -1))
    z = np.concatenate(found, 1)[..., None, None]
    equal(layer(torch.as_tensor(x)), x * excited(layer.excite, z))
    assert sum(p.numel() for p in create(name, channels=32, reduction=16).parameters()) == 22 * 32**2 // 16


@pytest.mark.parametrize(("name", "join"), [("scse", np.add), ("scse_max", np.maximum)])
def test_channels_and_positions_are_put_together(name, join):
    layer, x = shaken(name, channels=6), numbers(X)
    by_channel = x * excited(layer.channel.excite, means(x))
    equal(layer(X), join(by_channel, x * sigmoid(pointwise(layer.position, x))))


@pytest.mark.parametrize("name", ["scse"])
def test_no_other_way_to_combine(name):
    with pytest.raises(UsageError, match="sum, max"):
        create(name, channels=4, combine="mean")
