import pytest
import torch
from torch.nn import functional as F

from torchatlas.cards.reader import create
from torchatlas.engine.errors import UsageError
from torchatlas.inspection.cost import count_macs
from torchatlas.networks.convolutional import InceptionV2
from torchatlas.networks.convolutional.inception_v2 import CoveringMaxPool

from .plain_inception import Weights, images, join, mean3, shaken

# Figure 5: #1×1, #3×3 reduce, #3×3, #double 3×3 reduce, #double 3×3, pool and projection.
MODULES = """
3a 64 64 64 64 96 avg 32
3b 64 64 96 64 96 avg 64
3c 0 128 160 64 96 max 0
4a 224 64 96 96 128 avg 128
4b 192 96 128 96 128 avg 128
4c 160 128 160 128 160 avg 96
4d 96 128 192 160 192 avg 96
4e 0 128 192 192 256 max 0
5a 352 192 320 160 224 avg 128
5b 352 192 320 192 224 max 128
"""


def plain(net, x, width, projection=96, bias=False):
    """Figure 5 from the weights alone, in evaluation mode."""
    w = Weights(net, width, bias, eps=1e-5)

    def halved(x):
        return F.max_pool2d(x, 3, 2, ceil_mode=True)

    x = w.conv(x, 64, 3) if min(x.shape[2:]) <= 64 else halved(w.conv(x, 64, 7, 2))
    x = halved(w.conv(w.conv(x, 64), 192, 3))
    for line in MODULES.split("\n")[1:-1]:
        name, *numbers = line.split()
        pool = numbers.pop(5)
        one, before3, three, before, double, after = map(int, numbers)
        if one:
            after = projection if name in ("4c", "4d") else after
            x = join(
                w.conv(x, one),
                w.conv(w.conv(x, before3), three, 3),
                w.conv(w.conv(w.conv(x, before), double, 3), double, 3),
                w.conv(mean3(x) if pool == "avg" else F.max_pool2d(x, 3, 1, 1), after),
            )
        else:
            x = join(
                w.conv(w.conv(x, before3), three, 3, 2),
                w.conv(w.conv(w.conv(x, before), double, 3), double, 3, 2),
                halved(x),
            )
    logits = w.affine(x.mean((2, 3)))
    assert next(w.values, None) is None
    return logits


@pytest.mark.parametrize("size", [(96, 128), (32, 32), (8, 16)])
@pytest.mark.parametrize("words", [{}, {"projection": 128, "bias": True}], ids=["paper", "caffe"])
def test_it_is_the_paper_s_network(words, size):
    net, x = shaken(InceptionV2(5, 2, size, width=0.0625, **words)), images(2, *size)
    expected = plain(net, x, 0.0625, **words)
    torch.testing.assert_close(net(x), expected, rtol=1e-9, atol=1e-12)
    assert (expected[0] - expected[1]).abs().max() > 1e-4 * expected.abs().max()


@pytest.mark.parametrize("size", [(1, 2), (5, 8), (7, 3)])
def test_the_pooling_makes_maps_as_large_as_the_convolution_s(size):
    x = images(3, *size)
    got = CoveringMaxPool()(x)
    assert got.shape[2:] == F.conv2d(x, torch.zeros(1, 3, 3, 3, dtype=x.dtype), stride=2, padding=1).shape[2:]
    for i in range(got.shape[2]):
        for j in range(got.shape[3]):
            window = x[:, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
            torch.testing.assert_close(got[:, :, i, j], window.amax((2, 3)))


@pytest.mark.parametrize(
    ("name", "parameters", "macs"),
    [
        ("inception_v2", 11_194_984, 2_018_851_840),
        ("bninception_caffe", 11_295_240, 2_032_600_064),
    ],
)
def test_sizes_are_the_published_ones(name, parameters, macs):
    with torch.device("meta"):
        net = create(name)
        assert count_macs(net, torch.empty(1, 3, 224, 224)).total == macs
    assert sum(p.numel() for p in net.parameters()) == parameters


def test_maps_are_those_of_the_paper():
    with torch.device("meta"):
        maps = create("inception_v2").feature_maps(torch.empty(1, 3, 224, 224))
        small = create("inception_v2", input_size=(32, 32)).feature_maps(torch.empty(1, 3, 32, 32))
    assert [tuple(each.shape[1:]) for each in maps] == [(320, 28, 28), (576, 14, 14), (1024, 7, 7)]
    assert [each.shape[2] for each in small] == [16, 8, 4]


def test_small_images_are_refused():
    with pytest.raises(UsageError, match="8x8"):
        InceptionV2(input_size=(20, 7))
