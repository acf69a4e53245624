import cmath
import math

import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.nn.convolutions.fourier import FourierUnit
from windows import conv, drawn, equal, numbers


def fourier(a: np.ndarray) -> np.ndarray:
    """The whole orthonormal Fourier transform of a map, frequency by frequency."""
    height, width = a.shape
    made = np.zeros((height, width), dtype=complex)
    for u, v in np.ndindex(height, width):
        for i, j in np.ndindex(height, width):
            made[u, v] += a[i, j] * cmath.exp(-2j * cmath.pi * (u * i / height + v * j / width))
    return made / math.sqrt(height * width)


def unit_of(unit: FourierUnit, a: np.ndarray) -> np.ndarray:
    """A Fourier unit in evaluation mode on one sample, (c, h, w)."""
    count, height, width = a.shape
    spectra, w = [fourier(x) for x in a], numbers(unit.conv.weight)[:, :, 0, 0]
    mean, var = numbers(unit.norm.running_mean), numbers(unit.norm.running_var)
    made = np.zeros((count, height, width), dtype=complex)
    for u in range(height):
        for v in range(width // 2 + 1):
            parts = np.array([s[u, v].real for s in spectra] + [s[u, v].imag for s in spectra])
            parts = np.maximum((w @ parts - mean) / np.sqrt(var + 1e-5), 0)
            made[:, u, v] = parts[:count] + 1j * parts[count:]
    return np.fft.irfft2(made[..., : width // 2 + 1], (height, width), norm="ortho")


@pytest.mark.parametrize("stride", [1, 2])
def test_local_and_global_channels_reach_each_other(stride):
    x = drawn(1, 5, 6, 5)
    layer = create("ffc", 5, 7, stride=stride, global_in=0.4, global_out=0.6).double().eval()
    for k, module in enumerate(m for m in layer.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        module.running_mean.copy_(0.3 * drawn(module.num_features, seed=k))
        module.running_var.copy_(drawn(module.num_features, seed=k + 9).abs() + 0.5)
    local, spread, transform = x[:, :3], x[:, 3:], layer.global_global
    y_local = conv(local, layer.local_local.weight, None, stride, 1) + conv(
        spread, layer.global_local.weight, None, stride, 1
    )
    a = numbers(spread)[0]
    if stride == 2:
        a = np.array(
            [[a[:, i : i + 2, j : j + 2].mean((1, 2)) for j in range(0, 5, 2)] for i in range(0, 6, 2)]
        )
        a = a.transpose(2, 0, 1)
    norm = transform.reduce[1]
    z = np.einsum("oc,chw->ohw", numbers(transform.reduce[0].weight)[:, :, 0, 0], a)
    mean, var = (numbers(t)[:, None, None] for t in (norm.running_mean, norm.running_var))
    z = np.maximum((z - mean) / np.sqrt(var + 1e-5), 0)
    z = z + unit_of(transform.unit, z)
    y_global = np.einsum("oc,chw->ohw", numbers(transform.expand.weight)[:, :, 0, 0], z)[None]
    y_global = y_global + conv(local, layer.local_global.weight, None, stride, 1)
    equal(layer(x), np.concatenate([y_local, y_global], 1))


@pytest.mark.parametrize("size", [(6, 8), (5, 7), (1, 1)])
def test_there_and_back_is_the_identity(size):
    unit = FourierUnit(3).double()
    unit.norm = unit.activation = torch.nn.Identity()
    with torch.no_grad():
        unit.conv.weight.copy_(torch.eye(6)[:, :, None, None])
    x = drawn(2, 3, *size)
    equal(unit(x), x)


def test_one_pixel_reaches_the_whole_map():
    layer = create("ffc", 2, 4, global_in=1.0, global_out=1.0).double().eval()
    x = drawn(1, 2, 8, 8)
    other = x.clone()
    other[0, :, 3, 3] += 5
    assert bool(((layer(x) - layer(other)).abs().amax(1) > 1e-9).all())


def test_without_global_channels_it_is_a_convolution():
    x, layer = drawn(2, 3, 6, 5), create("ffc", 3, 4, kernel_size=5, global_in=0, global_out=0).double()
    equal(layer(x), conv(x, layer.local_local.weight, None, 1, 2))


def test_wrong_words():
    for words in ({"kernel_size": 2}, {"global_in": 1.5}, {"global_out": -0.5}):
        with pytest.raises(UsageError):
            create("ffc", 4, 4, **words)
