import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from windows import conv, drawn, equal, numbers

from .plain import batch_norm, shaken, sigmoid


def normed(layers, x):
    return batch_norm(layers[1], conv(torch.as_tensor(x), layers[0].weight, None, 1, 1))


@pytest.mark.parametrize(("size", "pool"), [((6, 4), 2), ((8, 8), 4), ((3, 5), 4)])
def test_a_coarse_view_weights_half_the_channels(size, pool):
    x, layer = drawn(2, 6, *size), shaken("scnet", channels=6, pool=pool)
    first, second = np.split(numbers(x), 2, 1)
    down, across = min(pool, size[0]), min(pool, size[1])
    h, w = size[0] // down, size[1] // across
    inner = first[:, :, : h * down, : w * across]
    view = normed(layer.coarse, inner.reshape(2, 3, h, down, w, across).mean((3, 5)))
    rows, columns = ([i * k // n for i in range(n)] for n, k in zip(size, (h, w)))
    weights = sigmoid(first + view[:, :, rows][..., columns])
    y = normed(layer.last, normed(layer.fine, first) * weights)
    equal(layer(x), np.concatenate((y, normed(layer.plain, second)), 1))


def test_channels_fall_into_halves():
    with pytest.raises(UsageError, match="halves"):
        create("scnet", channels=5)
    with pytest.raises(UsageError, match="pool"):
        create("scnet", channels=4, pool=0)
    assert sum(p.numel() for p in create("scnet", channels=64).parameters()) == 4 * (9 * 32 * 32 + 2 * 32)
