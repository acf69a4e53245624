import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from torchatlas.cards.reader import create
from torchatlas.engine.errors import UsageError
from torchatlas.inspection.cost import count_macs
from torchatlas.networks.convolutional import RegNet
from torchatlas.networks.convolutional.regnet import block_widths, stage_table

LINE = {"depth": 4, "w_0": 8, "w_a": 6.0, "w_m": 1.9, "group_width": 12}
STAGES = ((1, 8), (2, 12), (1, 36))  # 8, 14, 20, 26 are near 8, 15.2, 15.2, 28.9: 8, 16, 16, 32 of groups


def shaken(net: nn.Module, seed: int = 0) -> nn.Module:
    """In double precision, with statistics and weights of batch norm as after training."""
    numbers = torch.Generator().manual_seed(seed)
    for name, value in net.double().state_dict().items():
        if value.is_floating_point() and value.ndim == 1:
            value.copy_(torch.rand(value.shape, generator=numbers) + (0.5 if "var" in name else -0.3))
    return net.eval()


def plain(net: RegNet, x: torch.Tensor, squeeze: bool, small: bool) -> torch.Tensor:
    """Figures 4 and 22 of the paper from the weights alone, in evaluation mode."""
    weights = iter(net.state_dict().values())

    def conv(x, stride=1):
        kernel = next(weights)
        groups = x.shape[1] // kernel.shape[1]
        x = F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2, groups=groups)
        gain, shift, mean, variance, _ = (next(weights)[..., None, None] for _ in range(5))
        return gain * (x - mean) / (variance + 1e-5).sqrt() + shift

    def affine(v):
        matrix, shift = next(weights), next(weights)
        return torch.einsum("bi,oi->bo", v, matrix.reshape(len(shift), -1)) + shift

    x = conv(x, 1 if small else 2).clamp(min=0)
    for number, (blocks, _) in enumerate(STAGES):
        for k in range(blocks):
            stride = 2 if k == 0 and not (small and number == 0) else 1
            y = conv(conv(x).clamp(min=0), stride).clamp(min=0)
            if squeeze:
                share = affine(affine(y.mean((2, 3))).clamp(min=0))
                y = y / (1 + (-share[..., None, None]).exp())
            y = conv(y)
            x = (y + (conv(x, stride) if k == 0 else x)).clamp(min=0)
    return affine(x.mean((2, 3)))


@pytest.mark.parametrize("size", [(70, 99), (32, 25)])
@pytest.mark.parametrize("squeeze", [0, 4])
def test_it_is_the_papers_network(squeeze, size):
    net = shaken(RegNet(5, 2, size, **LINE, squeeze=squeeze))
    assert [(len(stage), stage[-1].body[3][0].out_channels) for stage in net.stages] == list(STAGES)
    x = torch.randn(2, 2, *size, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    expected = plain(net, x, bool(squeeze), min(size) <= 64)
    torch.testing.assert_close(net(x), expected, rtol=1e-9, atol=1e-9)


# Blocks, widths and groups of the paper's figures 23 and 24, and its millions of parameters.
PUBLISHED = [
    ("regnetx_004", (1, 2, 7, 12), (32, 64, 160, 384), 16, 5.2),
    ("regnetx_008", (1, 3, 7, 5), (64, 128, 288, 672), 16, 7.3),
    ("regnetx_016", (2, 4, 10, 2), (72, 168, 408, 912), 24, 9.2),
    ("regnetx_032", (2, 6, 15, 2), (96, 192, 432, 1008), 48, 15.3),
    ("regnety_004", (1, 3, 6, 6), (48, 104, 208, 440), 8, 4.3),
    ("regnety_008", (1, 3, 8, 2), (64, 128, 320, 768), 16, 6.3),
    ("regnety_016", (2, 6, 17, 2), (48, 120, 336, 888), 24, 11.2),
    ("regnety_032", (2, 5, 13, 1), (72, 216, 576, 1512), 24, 19.4),
]


@pytest.mark.parametrize(("name", "blocks", "widths", "group", "parameters"), PUBLISHED)
def test_sizes_are_the_published_ones(name, blocks, widths, group, parameters):
    with torch.device("meta"):
        net = create(name)
    assert tuple(len(stage) for stage in net.stages) == blocks
    convs = [stage[-1].body[1][0] for stage in net.stages]
    assert tuple(conv.out_channels for conv in convs) == widths
    assert {conv.in_channels // conv.groups for conv in convs} == {group}
    assert round(sum(p.numel() for p in net.parameters()) / 1e6, 1) == parameters


@pytest.mark.parametrize(("name", "millions"), [("regnetx_004", 400), ("regnety_008", 800)])
def test_a_name_tells_the_multiply_adds(name, millions):
    with torch.device("meta"):
        cost = count_macs(create(name), torch.empty(1, 3, 224, 224)).total
    assert round(cost / 1e6, -2) == millions


def test_each_width_is_the_nearest_power_to_the_line():
    for depth, w_0, w_a, w_m in ((22, 24, 24.48, 2.54), (14, 56, 38.84, 2.4), (27, 48, 20.71, 2.65)):
        for j, width in enumerate(block_widths(depth, w_0, w_a, w_m)):
            place = math.log(w_0 + w_a * j)
            powers = [w_0 * w_m**s for s in range(9)]
            nearest = min(powers, key=lambda power: abs(math.log(power) - place))
            assert width % 8 == 0 and abs(width - nearest) <= 4


def test_a_stage_is_made_of_whole_groups():
    assert stage_table([24, 24, 64, 392], 16, round_up=False) == [(2, 32), (1, 64), (1, 384)]
    assert stage_table([24, 136, 776], 16, round_up=False) == [(1, 32), (1, 128), (1, 768)]
    assert stage_table([24, 136, 776], 16, round_up=True) == [(1, 32), (1, 144), (1, 784)]
    assert stage_table([40], 24, round_up=False) == [(1, 48)]
    assert stage_table([56], 24, round_up=False) == [(1, 48)]
    assert stage_table([56], 24, round_up=True) == [(1, 72)]
    assert stage_table([8], 24, round_up=False) == [(1, 8)]


def test_squeezing_leaves_a_quarter_of_what_a_block_is_given():
    with torch.device("meta"):
        net = create("regnety_032")
    found = [[block.body[2].excite[0].out_channels for block in stage][:2] for stage in net.stages]
    assert found == [[8, 18], [18, 54], [54, 144], [144]]


def test_small_images_keep_their_size_at_first():
    with torch.device("meta"):
        maps = create("regnetx_004", input_size=(32, 32)).feature_maps(torch.empty(2, 3, 32, 32))
        large = create("regnetx_004").feature_maps(torch.empty(2, 3, 224, 224))
    assert [each.shape[-1] for each in maps] == [32, 16, 8, 4]
    assert [each.shape[-1] for each in large] == [56, 28, 14, 7]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"depth": 0}, "depth"),
        ({"w_0": 20}, "multiple of 8"),
        ({"w_0": 0}, "w_0"),
        ({"w_a": -1.0}, "w_a"),
        ({"w_m": 1.0}, "w_m"),
        ({"group_width": 0}, "group_width"),
        ({"squeeze": -1}, "squeeze"),
    ],
)
def test_what_does_not_fit_is_refused(words, said):
    with pytest.raises(UsageError, match=said):
        RegNet(**words)
