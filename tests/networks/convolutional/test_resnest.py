import pytest
import torch
from torch import nn
from torch.nn import functional as F

from torchatlas.cards.reader import create
from torchatlas.engine.errors import UsageError
from torchatlas.inspection.cost import count_macs
from torchatlas.networks.convolutional import ResNeSt
from torchatlas.networks.convolutional.resnest import SplitAttention

LAYERS = (2, 1, 1)


def shaken(net: nn.Module, seed: int = 0) -> nn.Module:
    """In double precision, with statistics and weights of batch norm as after training."""
    numbers = torch.Generator().manual_seed(seed)
    for name, value in net.double().state_dict().items():
        if value.is_floating_point() and value.ndim == 1:
            value.copy_(torch.rand(value.shape, generator=numbers) + (0.5 if "var" in name else -0.3))
    return net.eval()


class Weights:
    """A state's weights in turn, and what the paper does with them."""

    def __init__(self, net: nn.Module):
        self.next = iter(net.state_dict().values()).__next__

    def norm(self, x):
        gain, shift, mean, variance, _ = (self.next()[..., None, None] for _ in range(5))
        return gain * (x - mean) / (variance + 1e-5).sqrt() + shift

    def conv(self, x, stride=1):
        kernel = self.next()
        groups = x.shape[1] // kernel.shape[1]
        return self.norm(F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2, groups=groups))

    def affine(self, v, groups=1):
        """In groups: each maps its own numbers."""
        matrix, shift = self.next(), self.next()
        rows = zip(v.chunk(groups, 1), matrix.reshape(len(shift), -1).chunk(groups), strict=True)
        return torch.cat([part @ rows.T for part, rows in rows], 1) + shift

    def split(self, x, radix, cardinality):
        """Equations 1 and 2 of the paper: each cardinal group's splits by loops."""
        maps = self.conv(x).clamp(min=0).chunk(radix, 1)
        means = sum(maps).mean((2, 3))
        hidden = self.norm(self.affine(means, cardinality)[..., None, None]).clamp(min=0)[..., 0, 0]
        scores = self.affine(hidden, cardinality)
        each = x.shape[1] // cardinality
        groups = []
        for k in range(cardinality):
            own = scores[:, k * radix * each : (k + 1) * radix * each]
            powers = [own[:, r * each : (r + 1) * each].exp() for r in range(radix)]
            whole = sum(powers) if radix > 1 else 1 + powers[0]
            shares = [(power / whole)[..., None, None] for power in powers]
            places = slice(k * each, (k + 1) * each)
            groups.append(sum(share * one[:, places] for share, one in zip(shares, maps, strict=True)))
        return torch.cat(groups, 1)


def plain(net: ResNeSt, x, radix, cardinality, first, small):
    """The paper's network from the weights alone, in evaluation mode."""
    own = Weights(net)

    def mean(x):
        ones = F.pad(x, (1, 1, 1, 1)).unfold(2, 3, 2).unfold(3, 3, 2)
        return ones.mean((-2, -1))

    for stride in (1 if small else 2, 1, 1):
        x = own.conv(x, stride).clamp(min=0)
    x = x if small else F.max_pool2d(x, 3, 2, 1)
    for number, blocks in enumerate(LAYERS):
        for k in range(blocks):
            halved = number > 0 and k == 0
            y = own.conv(x).clamp(min=0)
            y = mean(y) if halved and first else y
            y = own.split(y, radix, cardinality)
            y = own.conv(mean(y) if halved and not first else y)
            around = F.avg_pool2d(x, 2, ceil_mode=True) if halved else x
            x = (y + (own.conv(around) if k == 0 else x)).clamp(min=0)
    return own.affine(x.mean((2, 3)))


@pytest.mark.parametrize("size", [(70, 99), (15, 22)])
@pytest.mark.parametrize(
    ("radix", "cardinality", "base_width", "first"),
    [(2, 1, 64, False), (2, 1, 64, True), (1, 2, 32, False), (4, 2, 64, True)],
)
def test_it_is_the_papers_network(radix, cardinality, base_width, first, size):
    net = ResNeSt(5, 2, size, LAYERS, 8, 12, radix, cardinality, base_width, first)
    x = torch.randn(2, 2, *size, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    expected = plain(shaken(net), x, radix, cardinality, first, min(size) <= 64)
    torch.testing.assert_close(net(x), expected, rtol=1e-9, atol=1e-9)


def test_shares_of_the_maps_sum_to_one_in_each_channel():
    attention = SplitAttention(12, radix=3, groups=2).double().eval()
    maps = torch.randn(2, 3, 12, 5, 5, dtype=torch.double)
    shares = attention.shares(maps)
    torch.testing.assert_close(shares.sum(1), torch.ones_like(shares[:, 0]))
    moved = maps.clone()
    moved[:, :, :6] += 1  # the other cardinal group's channels: the second one does not see them
    assert torch.equal(attention.shares(moved)[:, :, 6:], shares[:, :, 6:])
    assert not torch.equal(attention.shares(moved)[:, :, :6], shares[:, :, :6])


# Published: millions of parameters, and billions of multiply-adds of the fast and the deep one.
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("resnest50d", 27.5),
        ("resnest50d_1s4x24d", 25.7),
        ("resnest50d_4s2x40d", 30.4),
        ("resnest101e", 48.3),
        ("resnest200e", 70.2),
    ],
)
def test_sizes_are_the_published_ones(name, parameters):
    with torch.device("meta"):
        assert round(sum(p.numel() for p in create(name).parameters()) / 1e6, 1) == parameters


@pytest.mark.parametrize(("name", "billions"), [("resnest50d_fast", 4.3), ("resnest101e", 10.2)])
def test_a_mean_before_split_attention_costs_less(name, billions):
    with torch.device("meta"):
        assert round(count_macs(create(name), torch.empty(1, 3, 224, 224)).total / 1e9, 1) == billions


def test_small_images_keep_their_size_at_first():
    with torch.device("meta"):
        maps = create("resnest50d", input_size=(32, 32)).feature_maps(torch.empty(2, 3, 32, 32))
    assert [each.shape[-1] for each in maps] == [32, 16, 8, 4]


@pytest.mark.parametrize(
    ("words", "said"), [({"radix": 0}, "radix"), ({"stem_width": 7}, "even"), ({"groups": 0}, "groups")]
)
def test_what_does_not_fit_is_refused(words, said):
    with pytest.raises(UsageError, match=said):
        ResNeSt(**words)


def test_groups_divide_what_scores_the_maps():
    for words in ({"channels": 12, "groups": 3}, {"channels": 12, "groups": 4}):  # 32 between; 8 of 12
        with pytest.raises(UsageError, match="groups"):
            SplitAttention(**words)
