import math

import pytest
import torch

from torchatlas import create
from windows import conv, drawn, equal


@pytest.mark.parametrize("radius", [False, True])
def test_rows_and_columns_are_channels(radius):
    x = drawn(2, 3, 4, 5)
    layer = create("coord_conv", 3, 2, kernel_size=3, padding=1, radius=radius).double()
    where = torch.zeros(2, 2 + radius, 4, 5, dtype=torch.double)
    for i in range(4):
        for j in range(5):
            row, column = -1 + 2 * i / 3, -1 + 2 * j / 4
            where[:, :, i, j] = torch.tensor([row, column, math.hypot(row, column)])[: 2 + radius]
    equal(layer(x), conv(torch.cat([x, where], 1), layer.conv.weight, layer.conv.bias, 1, 1), 1e-7)


def test_without_their_weights_it_is_a_convolution_and_one_pixel_is_in_the_middle():
    x, layer = drawn(2, 3, 1, 1), create("coord_conv", 3, 2, kernel_size=1, radius=True).double()
    equal(layer(x), conv(x, layer.conv.weight[:, :3], layer.conv.bias))


def test_it_tells_places_apart():
    layer = create("coord_conv", 1, 1, kernel_size=1)
    y = layer(torch.ones(1, 1, 5, 5)).detach()
    assert float(y.std()) > 0
