import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.nn.convolutions.wavelet import haar, unhaar
from windows import conv, drawn, equal, numbers


def bands_of(a: np.ndarray) -> np.ndarray:
    """Haar's four bands of a map (c, h, w), from the products of (1, 1) / √2 and (1, -1) / √2."""
    smooth, rough = np.array([1, 1]) / np.sqrt(2), np.array([1, -1]) / np.sqrt(2)
    filters = [np.outer(d, r) for d in (smooth, rough) for r in (smooth, rough)]
    made = np.zeros((a.shape[0], 4, a.shape[1] // 2, a.shape[2] // 2))
    for c, k, i, j in np.ndindex(*made.shape):
        made[c, k, i, j] = (filters[k] * a[c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]).sum()
    return made


def map_of(bands: np.ndarray) -> np.ndarray:
    """The map of four bands: each adds its filter, as many times as it says."""
    smooth, rough = np.array([1, 1]) / np.sqrt(2), np.array([1, -1]) / np.sqrt(2)
    filters = [np.outer(d, r) for d in (smooth, rough) for r in (smooth, rough)]
    made = np.zeros((bands.shape[0], 2 * bands.shape[2], 2 * bands.shape[3]))
    for c, k, i, j in np.ndindex(*bands.shape):
        made[c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2] += bands[c, k, i, j] * filters[k]
    return made


def levels_of(layer, a: np.ndarray, level: int) -> np.ndarray:
    count, height, width = a.shape
    bands = bands_of(np.pad(a, ((0, 0), (0, height % 2), (0, width % 2))))
    flat = torch.as_tensor(bands.reshape(1, 4 * count, *bands.shape[2:]))
    edge = layer.convs[level].kernel_size[0] // 2
    made = conv(flat, layer.convs[level].weight, None, 1, edge, 1, 4 * count)[0] * numbers(
        layer.scales[level]
    )
    made = made.reshape(bands.shape)
    if level + 1 < len(layer.convs):
        made[:, 0] += levels_of(layer, bands[:, 0], level + 1)
    return map_of(made)[:, :height, :width]


@pytest.mark.parametrize(("size", "levels", "stride"), [((8, 4), 1, 1), ((7, 6), 2, 1), ((9, 5), 3, 2)])
def test_small_kernels_on_every_level(size, levels, stride):
    x = drawn(1, 2, *size)
    layer = create("wtconv", channels=2, kernel_size=3, levels=levels, stride=stride).double()
    for k, scale in enumerate([layer.base_scale, *layer.scales]):
        scale.data.copy_(drawn(*scale.shape, seed=k))
    plain = conv(x, layer.base.weight, layer.base.bias, 1, 1, 1, 2)[0] * numbers(layer.base_scale)
    equal(layer(x)[0], (plain + levels_of(layer, numbers(x)[0], 0))[:, ::stride, ::stride])


def test_the_transform_keeps_lengths_and_goes_back():
    x = drawn(2, 3, 6, 8)
    assert float(haar(x).square().sum()) == pytest.approx(float(x.square().sum()))
    equal(unhaar(haar(x)), x)


@pytest.mark.parametrize("levels", [1, 3])
def test_kernels_that_do_nothing_give_the_map_back_from_each_level(levels):
    x, layer = drawn(2, 2, 8, 8), create("wtconv", channels=2, kernel_size=3, levels=levels).double()
    torch.nn.init.zeros_(layer.base_scale)
    for k in range(levels):
        torch.nn.init.dirac_(layer.convs[k].weight, groups=8)
        torch.nn.init.ones_(layer.scales[k])
        if k + 1 < levels:
            with torch.no_grad():
                layer.scales[k][::4] = 0  # the smooth band comes from below alone
    equal(layer(x), x)


def test_first_scales_and_wrong_words():
    layer = create("wtconv", channels=3, levels=2)
    assert bool((layer.base_scale == 1).all()) and all(bool((s == 0.1).all()) for s in layer.scales)
    assert sum(p.numel() for p in layer.parameters()) == 3 * 26 + 3 + 2 * (12 * 25 + 12)
    for words in ({"kernel_size": 4}, {"levels": 0}):
        with pytest.raises(UsageError):
            create("wtconv", channels=4, **words)
