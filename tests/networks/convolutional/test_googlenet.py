import pytest
import torch
from torch.nn import functional as F

from torchatlas.cards.reader import create
from torchatlas.engine.errors import UsageError
from torchatlas.inspection.cost import count_macs
from torchatlas.learning.supervised import Supervised
from torchatlas.networks.convolutional import GoogLeNet

from .plain_inception import Weights, images, join, shaken

# The paper's table 1: #1×1, #3×3 reduce, #3×3, #5×5 reduce, #5×5, pool proj.
MODULES = """
3a 64 96 128 16 32 32
3b 128 128 192 32 96 64
4a 192 96 208 16 48 64
4b 160 112 224 24 64 64
4c 128 128 256 24 64 64
4d 112 144 288 32 64 64
4e 256 160 320 32 128 128
5a 256 160 320 32 128 128
5b 384 192 384 48 128 128
"""
TORCHVISION = {"batch_norm": True, "kernel": 3, "last_pool": 2, "even_grid": True}


def plain(net, x, width, batch_norm=False, kernel=5, last_pool=3, even_grid=False, aux=False):
    """Table 1 and figure 3 from the weights alone, in evaluation mode."""
    w = Weights(net, width, not batch_norm, batch_norm)

    def normed(x):  # 5 channels around each; Caffe's constants
        if batch_norm:
            return x
        squares = F.pad(x.square(), (0, 0, 0, 0, 2, 2)).unfold(1, 5, 1).sum(-1)
        return x / (1 + 1e-4 / 5 * squares) ** 0.75

    def halved(x, kernel=3):
        return F.max_pool2d(x, kernel, 2, ceil_mode=True)

    x = normed(w.conv(x, 64, 3) if min(x.shape[2:]) <= 64 else halved(w.conv(x, 64, 7, 2)))
    x = normed(w.conv(w.conv(x, 64), 192, 3))
    taken = []
    for line in MODULES.split("\n")[1:-1]:
        name, *numbers = line.split()
        one, before3, three, before5, five, pool = map(int, numbers)
        if name in ("3a", "4a"):
            x = halved(x)
        if name == "5a":
            x = halved(x, last_pool)
        x = join(
            w.conv(x, one),
            w.conv(w.conv(x, before3), three, 3),
            w.conv(w.conv(x, before5), five, kernel),
            w.conv(F.max_pool2d(x, 3, 1, 1), pool),
        )
        if name in ("4a", "4d"):
            taken.append(x)
    outputs = [w.affine(x.mean((2, 3)))]
    for x in taken if aux else ():
        x = F.adaptive_avg_pool2d(x, 4) if even_grid else F.avg_pool2d(x, 5, 3)
        x = w.conv(x, 128).flatten(1)
        outputs.append(w.affine(w.affine(x).clamp(min=0)))
    assert next(w.values, None) is None
    return outputs


@pytest.mark.parametrize("size", [(70, 81), (32, 30), (8, 13)])
@pytest.mark.parametrize("words", [{}, {"batch_norm": True}, TORCHVISION], ids=["paper", "bn", "torchvision"])
def test_it_is_the_paper_s_network(words, size):
    net, x = shaken(GoogLeNet(5, 2, size, width=0.0625, **words)), images(2, *size)
    (expected,) = plain(net, x, 0.0625, **words)
    torch.testing.assert_close(net(x), expected, rtol=1e-9, atol=1e-12)
    assert (expected[0] - expected[1]).abs().max() > 1e-4 * expected.abs().max()


@pytest.mark.parametrize("words", [{}, TORCHVISION], ids=["paper", "torchvision"])
def test_heads_on_the_way_read_modules_4a_and_4d(words):
    words = {"aux": True, **words}
    net, x = shaken(GoogLeNet(5, 2, width=0.0625, **words)), images(2, 224, 224)
    expected = plain(net, x, 0.0625, **words)
    got = net.forward_all(x)
    assert len(got) == 3
    for mine, theirs in zip(got, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-12)
    assert torch.equal(net(x), got[0])


def test_training_adds_a_third_of_their_losses_and_gives_every_parameter_a_gradient():
    torch.manual_seed(0)
    net = GoogLeNet(3, 1, (16, 16), width=0.125, batch_norm=True, aux=True)
    x, y = torch.randn(17, 1, 16, 16), torch.arange(17) % 3
    learner = Supervised(net)
    learner.loss("all", (x, y)).backward()
    assert all(p.grad is not None and p.grad.any() for p in net.parameters())
    net.eval()
    losses = [F.cross_entropy(each, y) for each in net.forward_all(x)]
    torch.testing.assert_close(learner.loss("all", (x, y)), losses[0] + 0.3 * (losses[1] + losses[2]))


def test_all_heads_are_renewed():
    net = GoogLeNet(3, 1, (16, 16), width=0.0625, aux=True).eval()
    assert [len(each[0]) for each in net.reset_head(7).forward_all(torch.randn(2, 1, 16, 16))] == [7, 7, 7]
    assert [len(each[0]) for each in net.reset_head(0).forward_all(torch.randn(2, 1, 16, 16))] == [64, 64, 64]


@pytest.mark.parametrize(
    ("name", "alone", "with_heads", "macs"),
    [
        ("googlenet", 6_998_552, 13_378_280, 1_582_671_872),  # the paper: 1.5 billion multiply-adds
        ("googlenet_bn", 7_005_832, 13_385_816, 1_582_671_872),
        ("googlenet_torchvision", 6_624_904, 13_004_888, 1_498_376_192),
    ],
)
def test_sizes_are_the_published_ones(name, alone, with_heads, macs):
    with torch.device("meta"):
        net, larger = create(name), create(name, aux=True)
        assert count_macs(net, torch.empty(1, 3, 224, 224)).total == macs
    assert sum(p.numel() for p in net.parameters()) == alone
    assert sum(p.numel() for p in larger.parameters()) == with_heads
    assert net.auxiliary_weight == 0
    assert larger.auxiliary_weight == 0.3


def test_maps_are_those_of_the_paper():
    with torch.device("meta"):
        maps = create("googlenet").feature_maps(torch.empty(1, 3, 224, 224))
        small = create("googlenet", input_size=(32, 32)).feature_maps(torch.empty(1, 3, 32, 32))
    assert [tuple(each.shape[1:]) for each in maps] == [
        (480, 28, 28),
        (512, 14, 14),
        (528, 14, 14),
        (832, 14, 14),
        (1024, 7, 7),
    ]
    assert [each.shape[2] for each in small] == [16, 8, 8, 8, 4]


def test_heads_that_are_not_wanted_are_left_out_of_trained_weights():
    rules = create("googlenet_torchvision", width=0.1).key_maps["torchvision"]
    assert rules[0] == (r"^aux\d\..*", "")
    assert create("googlenet_torchvision", width=0.1, aux=True).key_maps["torchvision"] == rules[1:]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"input_size": (7, 20)}, "8x8"),
        ({"aux": True, "table": [[], [(8, 8, 8, 8, 8, 8)], []]}, "aux=False"),
    ],
)
def test_what_does_not_fit_is_refused(words, said):
    with pytest.raises(UsageError, match=said):
        GoogLeNet(**words)
