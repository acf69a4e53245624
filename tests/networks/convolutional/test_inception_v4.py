import pytest
import torch

from torchatlas.cards.reader import create
from torchatlas.engine.errors import UsageError
from torchatlas.inspection.cost import count_macs
from torchatlas.networks.convolutional import InceptionV4

from .plain_inception import Weights, images, join, max3, mean3, shaken

WIDTH = 0.0625


def plain_stem(w, x):
    """Figure 3."""
    x = w.conv(w.conv(w.conv(x, 32, 3, 2, True), 32, 3, 1, True), 64, 3)
    x = join(max3(x), w.conv(x, 96, 3, 2, True))
    left = w.conv(w.conv(x, 64), 96, 3, 1, True)
    right = w.conv(w.conv(w.conv(w.conv(x, 64), 64, (1, 7)), 64, (7, 1)), 96, 3, 1, True)
    x = join(left, right)
    return join(w.conv(x, 192, 3, 2, True), max3(x))


def plain_coarse(w, x):
    """Figure 6."""
    one, y = w.conv(x, 256), w.conv(x, 384)
    side = join(w.conv(y, 256, (1, 3)), w.conv(y, 256, (3, 1)))
    z = w.conv(w.conv(w.conv(x, 384), 448, (3, 1)), 512, (1, 3))
    deep = join(w.conv(z, 256, (1, 3)), w.conv(z, 256, (3, 1)))
    return join(one, side, deep, w.conv(mean3(x, border=False), 256))


def plain(net, x, layers):
    """Figures 3 to 9 from the weights alone, in evaluation mode."""
    w = Weights(net, WIDTH)
    x = plain_stem(w, x)
    for _ in range(layers[0]):
        two = w.conv(x, 96), w.conv(w.conv(x, 64), 96, 3)
        deep = w.conv(w.conv(w.conv(x, 64), 96, 3), 96, 3)
        x = join(*two, deep, w.conv(mean3(x, border=False), 96))
    first = w.conv(x, 384, 3, 2, True)
    x = join(first, w.conv(w.conv(w.conv(x, 192), 224, 3), 256, 3, 2, True), max3(x))
    for _ in range(layers[1]):
        one = w.conv(x, 384)
        seven = w.conv(w.conv(w.conv(x, 192), 224, (1, 7)), 256, (7, 1))
        twice = w.conv(w.conv(w.conv(x, 192), 192, (7, 1)), 224, (1, 7))
        twice = w.conv(w.conv(twice, 224, (7, 1)), 256, (1, 7))
        x = join(one, seven, twice, w.conv(mean3(x, border=False), 128))
    three = w.conv(w.conv(x, 192), 192, 3, 2, True)
    seven = w.conv(w.conv(w.conv(w.conv(x, 256), 256, (1, 7)), 320, (7, 1)), 320, 3, 2, True)
    x = join(three, seven, max3(x))
    for _ in range(layers[2]):
        x = plain_coarse(w, x)
    logits = w.affine(x.mean((2, 3)))
    assert next(w.values, None) is None
    return logits


@pytest.mark.parametrize(("size", "layers"), [((75, 75), (4, 7, 3)), ((91, 134), (1, 2, 1))])
def test_it_is_the_paper_s_network(size, layers):
    net, x = shaken(InceptionV4(5, 2, size, layers, WIDTH)), images(2, *size)
    expected = plain(net, x, layers)
    torch.testing.assert_close(net(x), expected, rtol=1e-9, atol=1e-12)
    assert (expected[0] - expected[1]).abs().max() > 1e-4 * expected.abs().max()


def test_sizes_are_the_published_ones():
    with torch.device("meta"):
        net = create("inception_v4")
        assert count_macs(net, torch.empty(1, 3, 299, 299)).total == 12_253_974_624
        maps = net.feature_maps(torch.empty(1, 3, 299, 299))
    assert sum(p.numel() for p in net.parameters()) == 42_679_816
    assert [tuple(each.shape[1:]) for each in maps] == [(384, 35, 35), (1024, 17, 17), (1536, 8, 8)]


def test_small_images_are_refused():
    with pytest.raises(UsageError, match="75x75, not 32x32"):
        InceptionV4(input_size=(32, 32))
