import pytest
import torch

from torchatlas.cards.reader import create
from torchatlas.engine.errors import UsageError
from torchatlas.inspection.cost import count_macs
from torchatlas.networks.convolutional import InceptionResNetV2

from .plain_inception import Weights, images, join, max3, mean3, shaken

WIDTH = 0.0625


def plain(net, x, layers):
    """The blocks of the paper's figures 10 to 19 in the authors' layout, in evaluation mode."""
    w = Weights(net, WIDTH)

    def added(x, scale, *branches):
        y = join(*branches)
        return x + scale * w.linear(y, x.shape[1], 1, 1, bias=True)

    x = w.conv(w.conv(w.conv(x, 32, 3, 2, True), 32, 3, 1, True), 64, 3)
    x = max3(w.conv(w.conv(max3(x), 80), 192, 3, 1, True))
    two = w.conv(x, 96), w.conv(w.conv(x, 48), 64, 5)
    deep = w.conv(w.conv(w.conv(x, 64), 96, 3), 96, 3)
    x = join(*two, deep, w.conv(mean3(x, border=False), 64))
    for _ in range(layers[0]):
        two = w.conv(x, 32), w.conv(w.conv(x, 32), 32, 3)
        x = added(x, 0.17, *two, w.conv(w.conv(w.conv(x, 32), 48, 3), 64, 3)).clamp(min=0)
    first = w.conv(x, 384, 3, 2, True)
    x = join(first, w.conv(w.conv(w.conv(x, 256), 256, 3), 384, 3, 2, True), max3(x))
    for _ in range(layers[1]):
        one = w.conv(x, 192)
        x = added(x, 0.1, one, w.conv(w.conv(w.conv(x, 128), 160, (1, 7)), 192, (7, 1))).clamp(min=0)
    two = w.conv(w.conv(x, 256), 384, 3, 2, True), w.conv(w.conv(x, 256), 288, 3, 2, True)
    x = join(*two, w.conv(w.conv(w.conv(x, 256), 288, 3), 320, 3, 2, True), max3(x))
    for number in range(layers[2]):
        last = number == layers[2] - 1
        one = w.conv(x, 192)
        branches = one, w.conv(w.conv(w.conv(x, 192), 224, (1, 3)), 256, (3, 1))
        x = added(x, 1.0, *branches) if last else added(x, 0.2, *branches).clamp(min=0)
    logits = w.affine(w.conv(x, 1536).mean((2, 3)))
    assert next(w.values, None) is None
    return logits


@pytest.mark.parametrize(("size", "layers"), [((75, 75), (10, 20, 10)), ((91, 134), (1, 2, 3))])
def test_it_is_the_authors_network(size, layers):
    net, x = shaken(InceptionResNetV2(5, 2, size, layers, WIDTH)), images(2, *size)
    expected = plain(net, x, layers)
    torch.testing.assert_close(net(x), expected, rtol=1e-9, atol=1e-12)
    assert (expected[0] - expected[1]).abs().max() > 1e-4 * expected.abs().max()


def test_sizes_are_the_published_ones():
    with torch.device("meta"):
        net = create("inception_resnet_v2")
        assert count_macs(net, torch.empty(1, 3, 299, 299)).total == 13_155_794_016
        maps = net.feature_maps(torch.empty(1, 3, 299, 299))
    assert sum(p.numel() for p in net.parameters()) == 55_843_464
    assert [tuple(each.shape[1:]) for each in maps] == [(320, 35, 35), (1088, 17, 17), (2080, 8, 8)]
    assert net.features == 1536


def test_later_blocks_are_left_out_more_often():
    with torch.device("meta"):
        net = InceptionResNetV2(layers=(1, 2, 1), width=WIDTH, drop_path=0.4)
    rates = [block.drop.p for stage in net.stages for block in stage if hasattr(block, "drop")]
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_small_images_are_refused():
    with pytest.raises(UsageError, match="75x75, not 74x80"):
        InceptionResNetV2(input_size=(74, 80))
