import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.inspection.cost import count_macs
from windows import conv, drawn, equal, numbers


def halved(x: torch.Tensor) -> torch.Tensor:
    a = numbers(x)
    y = np.zeros((*a.shape[:2], -(-a.shape[2] // 2), -(-a.shape[3] // 2)))
    for i, j in np.ndindex(*y.shape[2:]):
        y[:, :, i, j] = a[:, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean((2, 3))
    return torch.as_tensor(y)


def doubled(x: np.ndarray, height: int, width: int) -> np.ndarray:
    return np.array([[x[:, :, i // 2, j // 2] for j in range(width)] for i in range(height)]).transpose(
        2, 3, 0, 1
    )


@pytest.mark.parametrize("size", [(6, 8), (5, 7)])
@pytest.mark.parametrize("stride", [1, 2])
def test_both_maps_go_both_ways(size, stride):
    layer = create(
        "octave_conv", 6, 8, kernel_size=3, padding=1, stride=stride, alpha_in=0.5, alpha_out=0.25
    ).double()
    high = drawn(2, 3, *size)
    low = drawn(2, 3, -(-size[0] // 2), -(-size[1] // 2), seed=1)
    got_high, got_low = layer((high, low))
    to_high, to_low = layer.high_high, layer.high_low
    assert to_high.weight.shape[:2] == (6, 3) and layer.low_low.weight.shape[:2] == (2, 3)
    if stride == 2:
        high = halved(high)
    sideways = conv(low, layer.low_high.weight, None, 1, 1)
    if stride == 1:
        sideways = doubled(sideways, *size)
    equal(got_high, conv(high, to_high.weight, to_high.bias, 1, 1) + sideways)
    within = conv(halved(low) if stride == 2 else low, layer.low_low.weight, None, 1, 1)
    equal(got_low, conv(halved(high), to_low.weight, to_low.bias, 1, 1) + within)


def test_first_and_last_layers_begin_and_end_with_one_map():
    x = drawn(2, 3, 6, 6)
    first = create("octave_conv", 3, 8, kernel_size=3, padding=1, alpha_in=0, alpha_out=0.5).double()
    last = create("octave_conv", 8, 5, kernel_size=3, padding=1, alpha_in=0.5, alpha_out=0).double()
    high, low = first(x)
    assert high.shape == (2, 4, 6, 6) and low.shape == (2, 4, 3, 3)
    assert last((high, low)).shape == (2, 5, 6, 6)


def test_without_low_channels_it_is_a_convolution():
    x = drawn(2, 3, 5, 6)
    layer = create("octave_conv", 3, 4, kernel_size=3, alpha_in=0, alpha_out=0).double()
    equal(layer(x), conv(x, layer.high_high.weight, layer.high_high.bias))


@pytest.mark.parametrize("alpha", [0.25, 0.5])
def test_its_cost_is_the_stated_share(alpha):
    layer = create("octave_conv", 8, 8, kernel_size=3, padding=1, alpha_in=alpha, alpha_out=alpha)
    low = int(8 * alpha)
    maps = (torch.zeros(1, 8 - low, 8, 8), torch.zeros(1, low, 4, 4))
    whole = count_macs(torch.nn.Conv2d(8, 8, 3, padding=1), torch.zeros(1, 8, 8, 8)).total
    assert count_macs(layer, maps).total == whole * (1 - 0.75 * alpha * (2 - alpha))


def test_wrong_words():
    for words in ({"alpha_in": 1.0}, {"alpha_out": -0.1}, {"stride": 3}):
        with pytest.raises(UsageError):
            create("octave_conv", 4, 4, kernel_size=3, padding=1, **words)
    with pytest.raises(UsageError, match="must keep the size"):
        create("octave_conv", 4, 4, kernel_size=3)
    with pytest.raises(UsageError, match="high, low"):
        create("octave_conv", 4, 4, kernel_size=3, padding=1)(torch.zeros(1, 4, 6, 6))
