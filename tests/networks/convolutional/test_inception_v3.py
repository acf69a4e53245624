import pytest
import torch
from torch.nn import functional as F

from torchatlas.cards.reader import create
from torchatlas.engine.errors import UsageError
from torchatlas.inspection.cost import count_macs
from torchatlas.networks.convolutional import InceptionV3

from .plain_inception import Weights, images, join, max3, mean3, shaken

WIDTH = 0.0625


def plain_stem(w, x):
    """Table 1, down to 192 maps."""
    x = w.conv(w.conv(w.conv(x, 32, 3, 2, True), 32, 3, 1, True), 64, 3)
    return w.conv(w.conv(max3(x), 80), 192, 3, 1, True)


def plain_coarse(w, x):
    """Figure 7."""
    one, y = w.conv(x, 320), w.conv(x, 384)
    side = join(w.conv(y, 384, (1, 3)), w.conv(y, 384, (3, 1)))
    z = w.conv(w.conv(x, 448), 384, 3)
    deep = join(w.conv(z, 384, (1, 3)), w.conv(z, 384, (3, 1)))
    return join(one, side, deep, w.conv(mean3(x), 192))


def plain(net, x, aux=False):
    """Figures 5 to 7 and 10 from the weights alone, in evaluation mode."""
    w = Weights(net, WIDTH)
    x = max3(plain_stem(w, x))
    for pool in (32, 64, 64):
        x = join(
            w.conv(x, 64),
            w.conv(w.conv(x, 48), 64, 5),
            w.conv(w.conv(w.conv(x, 64), 96, 3), 96, 3),
            w.conv(mean3(x), pool),
        )
    x = join(w.conv(x, 384, 3, 2, True), w.conv(w.conv(w.conv(x, 64), 96, 3), 96, 3, 2, True), max3(x))
    for c in (128, 160, 160, 192):
        one = w.conv(x, 192)
        seven = w.conv(w.conv(w.conv(x, c), c, (1, 7)), 192, (7, 1))
        twice = w.conv(w.conv(w.conv(x, c), c, (7, 1)), c, (1, 7))
        twice = w.conv(w.conv(twice, c, (7, 1)), 192, (1, 7))
        x = join(one, seven, twice, w.conv(mean3(x), 192))
    middle = x
    seven = w.conv(w.conv(x, 192), 320, 3, 2, True)
    twice = w.conv(w.conv(w.conv(w.conv(x, 192), 192, (1, 7)), 192, (7, 1)), 192, 3, 2, True)
    x = plain_coarse(w, plain_coarse(w, join(seven, twice, max3(x))))
    outputs = [w.affine(x.mean((2, 3)))]
    if aux:
        y = w.conv(w.conv(F.avg_pool2d(middle, 5, 3), 128), 768, 5, 1, True)
        outputs.append(w.affine(y.mean((2, 3))))
    assert next(w.values, None) is None
    return outputs


@pytest.mark.parametrize("size", [(75, 75), (91, 134)])
def test_it_is_the_paper_s_network(size):
    net, x = shaken(InceptionV3(5, 2, size, width=WIDTH)), images(2, *size)
    (expected,) = plain(net, x)
    torch.testing.assert_close(net(x), expected, rtol=1e-9, atol=1e-12)
    assert (expected[0] - expected[1]).abs().max() > 1e-4 * expected.abs().max()


def test_the_head_on_the_way_reads_the_last_map_of_17_pixels():
    net, x = shaken(InceptionV3(5, 1, aux=True, width=WIDTH)), images(1, 299, 299)
    for mine, theirs in zip(net.forward_all(x), plain(net, x, aux=True), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-12)
    assert net.auxiliary_weight == 0.4


def test_sizes_are_the_published_ones():  # the paper: fewer than 25 million, 5 billion multiply-adds
    with torch.device("meta"):
        net, larger = create("inception_v3"), create("inception_v3", aux=True)
        assert count_macs(net, torch.empty(1, 3, 299, 299)).total == 5_713_216_096
        maps = net.feature_maps(torch.empty(1, 3, 299, 299))
    assert sum(p.numel() for p in net.parameters()) == 23_834_568
    assert sum(p.numel() for p in larger.parameters()) == 27_161_264
    assert [tuple(each.shape[1:]) for each in maps] == [(288, 35, 35), (768, 17, 17), (2048, 8, 8)]


@pytest.mark.parametrize(
    ("words", "said"),
    [({"input_size": (74, 200)}, "75x75, not 74x200"), ({"input_size": (298, 299), "aux": True}, "299x299")],
)
def test_small_images_are_refused(words, said):
    with pytest.raises(UsageError, match=said):
        InceptionV3(**words)
