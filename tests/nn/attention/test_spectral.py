import math

import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.nn.attention.spectral import cosine
from windows import drawn, equal, numbers

from .plain import pointwise, relu, shaken, sigmoid


def test_cosines_are_an_orthonormal_basis():
    basis = torch.stack([cosine(f, 7) for f in range(7)])
    equal(basis @ basis.T, torch.eye(7, dtype=torch.double))


@pytest.mark.parametrize("size", [7, 14])
def test_each_group_is_squeezed_by_its_cosine(size):
    x, layer = drawn(2, 8, size, size), shaken("fcanet", channels=8, frequencies=4, size=size, reduction=2)
    a, z, finer = numbers(x), np.zeros((2, 8, 1, 1)), size // 7
    for n, c in np.ndindex(2, 8):
        u, v = [(0, 0), (0, 1), (6, 0), (0, 5)][c // 2]
        for i, j in np.ndindex(size, size):
            down = math.cos(math.pi * u * finer * (i + 0.5) / size) * math.sqrt((2 if u else 1) / size)
            across = math.cos(math.pi * v * finer * (j + 0.5) / size) * math.sqrt((2 if v else 1) / size)
            z[n, c] += a[n, c, i, j] * down * across
    gate = sigmoid(pointwise(layer.excite[2], relu(pointwise(layer.excite[0], z))))
    equal(layer(x), a * gate, 1e-6)


def test_the_lowest_frequency_is_squeeze_and_excitation():
    layer = create("fcanet", channels=8, frequencies=1, reduction=2).double()
    other = create("se", channels=8, reduction=2).double()
    other.load_state_dict(layer.state_dict())
    with torch.no_grad():
        other.excite[0].weight.mul_(7)
    x = drawn(2, 8, 7, 7)
    equal(layer(x), other(x), 1e-6)
    assert sum(p.numel() for p in layer.parameters()) == sum(p.numel() for p in other.parameters())


def test_other_maps_are_brought_to_the_grid_by_means():
    layer, x = shaken("fcanet", channels=8, frequencies=2), drawn(2, 8, 14, 21)
    small = x.reshape(2, 8, 7, 2, 7, 3).mean((3, 5))
    equal(layer(x) / x, (layer(small) / small)[:, :, :1, :1].expand_as(x), 1e-9)


def test_wrong_words():
    for words in ({"frequencies": 17}, {"frequencies": 3}, {"size": 8}):
        with pytest.raises(UsageError):
            create("fcanet", channels=16, **words)
