"""Convolutions beside JAX's general one and SciPy's distances and filters, on odd sizes."""

import jax
import numpy as np
import pytest
import torch
from jax import lax
from scipy import fft
from scipy.ndimage import map_coordinates
from scipy.spatial.distance import cdist

from torchatlas import create
from torchatlas.nn.convolutions.fourier import FourierUnit

PEER = "jax.lax.conv_general_dilated"


@pytest.fixture
def x():
    return torch.randn(2, 4, 9, 7, dtype=torch.double)


def array(tensor):
    return tensor.detach().numpy()


def general(x, weight, stride=1, padding=0, **words):
    sides = [(padding, padding)] * 2
    return lax.conv_general_dilated(array(x), array(weight), (stride, stride), sides, **words)


@pytest.mark.parametrize(
    ("name", "words", "theirs"),
    [
        ("conv2d", {"stride": 2, "padding": 1}, {"stride": 2, "padding": 1}),
        ("dilated_conv", {"padding": 2}, {"padding": 2, "rhs_dilation": (2, 2)}),
        ("grouped_conv", {"stride": 2}, {"stride": 2, "feature_group_count": 2}),
        ("depthwise_conv", {"padding": 1, "multiplier": 2}, {"padding": 1, "feature_group_count": 4}),
    ],
)
def test_plain(same, x, name, words, theirs):
    out = {} if name == "depthwise_conv" else {"out_channels": 6}
    layer = create(name, in_channels=4, kernel_size=3, bias=False, **out, **words).double()
    same(name, PEER, layer(x), general(x, layer.weight, **theirs), 1e-12)


def test_transposed(same, x):
    layer = create(
        "transposed_conv", in_channels=4, out_channels=3, kernel_size=3, stride=2, bias=False
    ).double()
    flipped = layer.weight.flip(2, 3).transpose(0, 1)
    theirs = general(x, flipped, padding=2, lhs_dilation=(2, 2))
    same("transposed_conv", PEER, layer(x), theirs, 1e-12)


def test_difference_convolutions_are_plain_ones_less_their_sum(same, x):
    layer = create("cdc", 4, 3, padding=1, bias=False, theta=0.7).double()
    total = layer.weight.sum((2, 3), keepdim=True)
    theirs = general(x, layer.weight, padding=1) - 0.7 * general(x, total)
    same("cdc", PEER, layer(x), theirs, 1e-12)


def test_per_sample_kernels_are_mapped_convolutions(same, x):
    layer = create("condconv", 4, 3, kernel_size=3, bias=False).double()
    kernels, _ = layer.mixed(layer.shares(x))

    def one(sample, kernel):
        return lax.conv_general_dilated(sample[None], kernel, (1, 1), "VALID")[0]

    same("condconv", PEER, layer(x), jax.vmap(one)(array(x), array(kernels)), 1e-12)


def test_distances(same, x):
    layer = create("adder_conv", 4, 5, kernel_size=3).double()
    columns = layer.window.columns(x).mT.flatten(0, 1)
    theirs = -cdist(array(columns), array(layer.weight.flatten(1)), "cityblock")
    theirs = theirs.reshape(2, 7 * 5, 5).transpose(0, 2, 1).reshape(2, 5, 7, 5)
    same("adder_conv", "scipy.spatial.distance.cdist", layer(x), theirs, 1e-12)


def test_places_between_pixels(same, x):
    layer = create("deformable_conv", 4, 4, kernel_size=1, groups=4, bias=False).double()
    torch.nn.init.ones_(layer.conv.weight)
    torch.nn.init.normal_(layer.offsets.bias, std=0.7)
    shift = array(layer.offsets.bias)[:, None, None]
    places = np.indices((9, 7)) + shift
    theirs = [
        [map_coordinates(a, places, order=1, mode="grid-constant") for a in sample] for sample in array(x)
    ]
    same("deformable_conv", "scipy.ndimage.map_coordinates", layer(x), theirs, 1e-12)


def test_spectra(same, x):
    unit = FourierUnit(4).double().eval()
    parts = fft.rfft2(array(x), norm="ortho")
    both = np.concatenate([parts.real, parts.imag], 1)
    both = np.einsum("oc,bchw->bohw", array(unit.conv.weight)[:, :, 0, 0], both) / np.sqrt(1 + 1e-5)
    both = np.maximum(both, 0)
    theirs = fft.irfft2(both[:, :4] + 1j * both[:, 4:], (9, 7), norm="ortho")
    same("ffc", "scipy.fft.rfft2", unit(x), theirs, 1e-12)
