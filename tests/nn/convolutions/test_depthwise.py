import pytest
import torch

from torchatlas import create
from torchatlas.inspection.cost import count_macs, count_params
from windows import conv, drawn, equal

X = drawn(2, 4, 6, 5)


@pytest.mark.parametrize("name", ["depthwise_conv"])
@pytest.mark.parametrize("multiplier", [1, 3])
def test_each_channel_is_convolved_alone(name, multiplier):
    layer = create(name, in_channels=4, kernel_size=3, stride=2, padding=1, multiplier=multiplier).double()
    alone = [
        conv(X[:, [c]], layer.weight[rows], layer.bias[rows], 2, 1)
        for c in range(4)
        for rows in [slice(c * multiplier, (c + 1) * multiplier)]
    ]
    equal(layer(X), torch.cat([torch.as_tensor(y) for y in alone], 1))


@pytest.mark.parametrize("name", ["depthwise_separable_conv"])
def test_it_is_a_convolution_with_kernels_that_are_products(name):
    layer = create(name, in_channels=4, out_channels=6, kernel_size=3, padding=1).double()
    kernel = layer.pointwise.weight[:, :, 0, 0][:, :, None, None] * layer.depthwise.weight[:, 0][None]
    assert layer.pointwise.bias is not None
    equal(layer(X), conv(X, kernel, layer.pointwise.bias, 1, 1))


@pytest.mark.parametrize("name", ["depthwise_separable_conv"])
@pytest.mark.parametrize(("side", "out"), [(3, 6), (5, 10)])
def test_its_cost_is_the_stated_share(name, side, out):
    words = {"in_channels": 4, "out_channels": out, "kernel_size": side, "padding": side // 2, "bias": False}
    layer, plain = create(name, **words).double(), create("conv2d", **words).double()
    share = 1 / out + 1 / side**2
    assert count_params(layer).total == pytest.approx(share * count_params(plain).total)
    assert count_macs(layer, X).total == pytest.approx(share * count_macs(plain, X).total)
