import pytest
import torch

from torchatlas import create
from torchatlas.inspection.cost import count_macs, count_params
from windows import conv, drawn, equal

X = drawn(2, 3, 7, 6)


@pytest.mark.parametrize("name", ["spatially_separable_conv"])
def test_its_kernels_are_sums_of_outer_products(name):
    layer = create(
        name, in_channels=3, out_channels=4, kernel_size=(3, 5), stride=(2, 1), padding=(0, 2)
    ).double()
    down, across = layer.down.weight[..., 0], layer.across.weight[:, :, 0]  # (m, c, i), (o, m, j)
    kernel = torch.zeros(4, 3, 3, 5, dtype=torch.double)
    for m in range(4):
        kernel += across[:, m, None, None, :] * down[m, None, :, :, None]
    equal(layer(X), conv(X, kernel, layer.across.bias, (2, 1), (0, 2)))


@pytest.mark.parametrize("name", ["spatially_separable_conv"])
def test_it_costs_two_fths(name):
    words = {"in_channels": 4, "out_channels": 4, "kernel_size": 5, "bias": False}
    x = drawn(1, 4, 9, 9)
    layer, plain = create(name, **words).double(), create("conv2d", **words).double()
    assert count_params(layer).total == 2 / 5 * count_params(plain).total
    padded = {**words, "padding": 2}
    layer, plain = create(name, **padded).double(), create("conv2d", **padded).double()
    assert count_macs(layer, x).total == 2 / 5 * count_macs(plain, x).total


@pytest.mark.parametrize("name", ["flattened_conv"])
def test_its_kernels_are_of_rank_one(name):
    layer = create(name, in_channels=3, out_channels=4, kernel_size=(3, 2), stride=(1, 2), padding=1).double()
    alpha, beta, gamma = (
        layer.lateral.weight[..., 0, 0],
        layer.down.weight[:, 0, :, 0],
        layer.across.weight[:, 0, 0],
    )
    kernel = torch.einsum("oc,oi,oj->ocij", alpha, beta, gamma)
    equal(layer(X), conv(X, kernel, layer.across.bias, (1, 2), 1))
    assert count_params(layer).total == 4 * (3 + 3 + 2) + 4
