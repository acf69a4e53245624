import pytest
import torch
from torch.nn import functional as F

from networks.filling import filled
from torchatlas.cards.reader import create
from torchatlas.engine.errors import UsageError
from torchatlas.inspection.cost import count_macs
from torchatlas.networks.convolutional import NASNet
from torchatlas.networks.convolutional.nasnet import Pool


class Plain:
    """The paper's cells from the weights alone, in evaluation mode."""

    def __init__(self, state):
        self.state = state

    def norm(self, name, x):
        words = ("weight", "bias", "running_mean", "running_var")
        gain, shift, mean, variance = (self.state[f"{name}.{word}"][:, None, None] for word in words)
        return gain * (x - mean) / (variance + 1e-3).sqrt() + shift

    def conv(self, name, x):
        return torch.einsum("oi,bihw->bohw", self.state[f"{name}.weight"][:, :, 0, 0], x)

    def windows(self, x, side, stride, fill):
        """(b, c, side², h', w'): with the border that TensorFlow calls the same."""
        for dim in (3, 2):
            size = x.shape[dim]
            total = max((-(-size // stride) - 1) * stride + side - size, 0)
            x = F.pad(x, [0, 0] * (3 - dim) + [total // 2, total - total // 2], value=fill)
        return x.unfold(2, side, stride).unfold(3, side, stride).flatten(-2).movedim(-1, 2)

    def depthwise(self, name, x, stride):
        kernel = self.state[f"{name}.weight"]
        return torch.einsum(
            "bckhw,ck->bchw", self.windows(x, kernel.shape[-1], stride, 0.0), kernel.flatten(1)
        )

    def separable(self, name, x, stride):
        for first, step in ((1, stride), (5, 1)):
            x = self.conv(f"{name}.{first + 1}", self.depthwise(f"{name}.{first}", x.clamp(min=0), step))
            x = self.norm(f"{name}.{first + 2}", x)
        return x

    def most(self, x, stride=2):
        return self.windows(x, 3, stride, -torch.inf).amax(2)

    def mean(self, x, stride=1):
        return self.windows(x, 3, stride, torch.nan).nanmean(2)

    def squeeze(self, name, x):
        return self.norm(f"{name}.2", self.conv(f"{name}.1", x.clamp(min=0)))

    def states(self, name, before, now):
        """The last output and the one before, h and p, as a cell uses them."""
        h = self.squeeze(f"{name}.now", now)
        if f"{name}.before.path1.weight" in self.state:
            rest = F.pad(before, (0, 2, 0, 2))[:, :, 1:, 1:].clamp(min=0)
            rows, columns = (-(-size // 2) for size in before.shape[2:])
            halves = (before.clamp(min=0)[:, :, ::2, ::2], rest[:, :, ::2, ::2][:, :, :rows, :columns])
            pair = [self.conv(f"{name}.before.path{k}", half) for k, half in enumerate(halves, 1)]
            return h, self.norm(f"{name}.before.norm", torch.cat(pair, 1))
        return h, self.squeeze(
            f"{name}.before", before
        ) if f"{name}.before.1.weight" in self.state else before

    def normal(self, name, before, now):
        h, p = self.states(name, before, now)

        def sep(pair, place, x):
            return self.separable(f"{name}.pairs.{pair}.{place}", x, 1)

        sums = (
            sep(0, 0, h) + sep(0, 1, p),
            sep(1, 0, p) + sep(1, 1, p),
            self.mean(h) + p,
            self.mean(p) + self.mean(p),
            sep(4, 0, h) + h,
        )
        return torch.cat([p, *sums], 1)

    def reduction(self, name, before, now):
        h, p = self.states(name, before, now)

        def sep(pair, place, x, stride=2):
            return self.separable(f"{name}.pairs.{pair}.{place}", x, stride)

        first = sep(0, 0, h) + sep(0, 1, p)
        second = self.most(h) + sep(1, 1, p)
        third = self.mean(h, 2) + sep(2, 1, p)
        return torch.cat([second, third, self.mean(first) + second, sep(4, 0, first, 1) + self.most(h)], 1)

    def __call__(self, x, cells, skip, small):
        x = F.conv2d(x, self.state["stem.0.weight"], stride=1 if small else 2, padding=1 if small else 0)
        before = now = self.norm("stem.1", x)
        for stage in range(3):
            kinds = [self.normal] * cells
            halvings = [0, 1, 1][stage] if small else [2, 1, 1][stage]
            for k, kind in enumerate([self.reduction] * halvings + kinds):
                made = kind(f"stages.{stage}.cells.{k}", before, now)
                if not (skip and stage and k == 0):
                    before = now
                now = made
        return now.clamp(min=0).mean((2, 3)) @ self.state["head.weight"].T + self.state["head.bias"]


@pytest.mark.parametrize(
    ("size", "cells", "skip"), [((66, 75), 1, False), ((83, 70), 2, True), ((18, 13), 1, False)]
)
def test_it_is_the_paper_s_network(size, cells, skip):
    net = NASNet(5, 2, size, cells, 96, 6, skip).double().eval()
    net.load_state_dict(filled({name: value.shape for name, value in net.state_dict().items()}))
    x = torch.randn(2, 2, *size, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    expected = Plain(net.state_dict())(x, cells, skip, min(size) <= 64)
    torch.testing.assert_close(net(x), expected, rtol=1e-9, atol=1e-9)


# In the paper: 5.3 million and 564 million. For the large one it tells 23.8 billion, as counted here, and
# 88.9 million, 0.2 % more than the sum over the layers.
def test_sizes_are_the_published_ones():
    with torch.device("meta"):
        net = create("nasnet_a_mobile")
        counted = count_macs(net, torch.empty(1, 3, 224, 224)).total
        maps = net.feature_maps(torch.empty(1, 3, 224, 224))
    assert round(counted / 1e6) == 564
    assert round(sum(p.numel() for p in net.parameters()) / 1e5) == 53
    assert [each.shape[-1] for each in maps] == [28, 14, 7]


def test_small_images_keep_their_size_at_first():
    with torch.device("meta"):
        maps = NASNet(input_size=(32, 32), cells=1).feature_maps(torch.empty(2, 3, 32, 32))
    assert [each.shape[-1] for each in maps] == [32, 16, 8]
    assert [each.shape[1] for each in maps] == [32 + 6 * 44, (4 + 6) * 88, 6 * 176]


def test_a_mean_does_not_count_what_is_not_there():
    for size in (5, 6):
        assert Pool("mean", 2)(torch.full((1, 1, size, size + 1), 3.0)).eq(3).all()


def test_the_last_cells_are_left_out_most_often():
    net = NASNet(3, 1, (16, 16), 1, 96, 4, drop_path=0.5)
    cells = [cell for stage in net.stages for cell in stage.cells]
    assert [cell.pairs[0][0][-1].p for cell in cells] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert not list(cells[0].pairs[4][1].children())  # the identity stays


def test_what_does_not_fit_is_refused():
    for words, said in (({"width": 1000}, "multiple of 96"), ({"width": 0}, "96"), ({"cells": 0}, "cells=0")):
        with pytest.raises(UsageError, match=said):
            NASNet(**words)
