import pytest
import torch

from torchatlas import create
from torchatlas.inspection.cost import count_macs, count_params
from windows import conv, drawn, equal

X = drawn(2, 4, 7, 6)


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("conv2d", {"stride": (2, 1), "padding": (1, 0)}, {"stride": (2, 1), "padding": (1, 0)}),
        ("conv1x1", {}, {}),
        ("dilated_conv", {"padding": 2}, {"padding": 2, "dilation": 2}),
        ("grouped_conv", {"padding": 1}, {"padding": 1, "groups": 2}),
    ],
)
def test_a_convolution_is_a_loop_over_windows(name, settings, words):
    kernel = {} if name == "conv1x1" else {"kernel_size": (3, 2) if name == "conv2d" else 3}
    layer = create(name, in_channels=4, out_channels=6, **kernel, **settings).double()
    equal(layer(X), conv(X, layer.weight, layer.bias, **words))


@pytest.mark.parametrize("name", ["conv2d"])
def test_same_and_full_padding(name):
    layer = create(name, in_channels=4, out_channels=2, kernel_size=3, padding="same").double()
    assert layer(X).shape == (2, 2, 7, 6)
    full = create(name, in_channels=4, out_channels=2, kernel_size=3, padding=2).double()
    assert full(X).shape == (2, 2, 9, 8)


@pytest.mark.parametrize("name", ["conv1x1"])
def test_a_1x1_convolution_is_a_linear_layer_and_so_is_a_kernel_of_the_map_s_size(name):
    layer = create(name, in_channels=4, out_channels=5).double()
    linear = torch.nn.Linear(4, 5).double()
    linear.load_state_dict({"weight": layer.weight[:, :, 0, 0], "bias": layer.bias})
    equal(layer(X).permute(0, 2, 3, 1), linear(X.permute(0, 2, 3, 1)))
    whole = create("conv2d", in_channels=4, out_channels=5, kernel_size=(7, 6)).double()
    equal(whole(X)[:, :, 0, 0], X.flatten(1) @ whole.weight.flatten(1).T + whole.bias)
    assert count_params(layer).total == 4 * 5 + 5


@pytest.mark.parametrize("name", ["dilated_conv"])
def test_dilation_is_a_kernel_with_zeros_between(name):
    layer = create(name, in_channels=4, out_channels=2, kernel_size=3, dilation=3).double()
    stuffed = torch.zeros(2, 4, 7, 7, dtype=torch.double)
    stuffed[:, :, ::3, ::3] = layer.weight
    x = drawn(1, 4, 8, 9)
    equal(layer(x), conv(x, stuffed, layer.bias))


@pytest.mark.parametrize("name", ["transposed_conv"])
def test_transposed_is_adjoint(name):
    layer = create(
        name, in_channels=3, out_channels=4, kernel_size=3, stride=2, padding=1, bias=False
    ).double()
    y = drawn(2, 3, 4, 3, seed=1)  # conv makes (4, 3) of (7, 5): from 4 channels to 3
    x = drawn(2, 4, 7, 5, seed=2)
    forward = conv(x, layer.weight, None, 2, 1)
    back = layer(y).detach()
    assert back.shape == x.shape  # 2 (n - 1) - 2 + 2 + 1
    assert float((torch.as_tensor(forward) * y).sum()) == pytest.approx(float((x * back).sum()), abs=1e-10)


@pytest.mark.parametrize("name", ["transposed_conv"])
def test_transposed_spreads_each_pixel(name):
    layer = create(name, in_channels=1, out_channels=1, kernel_size=3, stride=2, bias=False)
    torch.nn.init.ones_(layer.weight)
    board = layer(torch.ones(1, 1, 4, 4))[0, 0].detach()
    assert board[3].tolist() == [1, 1, 2, 1, 2, 1, 2, 1, 1]  # the known checkerboard: 1, 2, 4
    assert board[2].tolist() == [2, 2, 4, 2, 4, 2, 4, 2, 2]


@pytest.mark.parametrize("name", ["grouped_conv"])
def test_groups_are_blocks_of_a_dense_kernel_and_cost_a_share(name):
    layer = create(name, in_channels=4, out_channels=6, kernel_size=3).double()
    dense = torch.zeros(6, 4, 3, 3, dtype=torch.double)
    dense[:3, :2], dense[3:, 2:] = layer.weight[:3], layer.weight[3:]
    equal(layer(X), conv(X, dense, layer.bias))
    plain = create("conv2d", in_channels=4, out_channels=6, kernel_size=3).double()
    assert 2 * count_macs(layer, X).total == count_macs(plain, X).total
