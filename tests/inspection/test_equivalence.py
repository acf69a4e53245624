import pytest
import torch
from torch import nn

from torchatlas.engine.errors import UsageError
from torchatlas.inspection import conv_to_linear, count_macs, count_params, linear_to_conv


@pytest.mark.parametrize("bias", [True, False])
def test_one_pixel_is_the_layer_at_each_place(bias):
    layer, x = nn.Linear(5, 3, bias=bias).double(), torch.randn(2, 5, 4, 6, dtype=torch.double)
    conv = linear_to_conv(layer)
    y = conv(x)
    for row, column in ((0, 0), (3, 5), (1, 2)):
        assert (y[:, :, row, column] - layer(x[:, :, row, column])).abs().max() < 1e-12
    assert count_params(conv).total == count_params(layer).total
    assert count_macs(conv, x[:1, :, :1, :1]).total == count_macs(layer, x[0, :, 0, 0]).total


def test_a_kernel_as_large_as_the_map_is_the_layer_after_flattening():
    layer, x = nn.Linear(2 * 3 * 4, 5).double(), torch.randn(2, 2, 3, 4, dtype=torch.double)
    conv = linear_to_conv(layer, (3, 4))
    assert (conv(x).flatten(1) - layer(x.flatten(1))).abs().max() < 1e-12
    larger = torch.randn(1, 2, 5, 7, dtype=torch.double)
    assert conv(larger).shape == (1, 5, 3, 4)
    window = larger[:, :, 2:5, 1:5]
    assert (conv(larger)[:, :, 2, 1] - layer(window.flatten(1))).abs().max() < 1e-12
    back = conv_to_linear(conv)
    assert torch.equal(back.weight, layer.weight) and torch.equal(back.bias, layer.bias)
    conv.weight.data.zero_()
    assert layer.weight.any()  # it is a copy


def test_what_is_no_layer_is_told():
    with pytest.raises(UsageError, match="7 inputs"):
        linear_to_conv(nn.Linear(7, 2), (2, 2))
    for conv in (
        nn.Conv2d(4, 4, 3, groups=2),
        nn.Conv2d(4, 4, 3, padding=1),
        nn.Conv2d(4, 4, 3, padding="same"),
    ):
        with pytest.raises(UsageError):
            conv_to_linear(conv)
