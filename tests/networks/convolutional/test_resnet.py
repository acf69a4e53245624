import pytest
import torch
from torch import nn
from torch.nn import functional as F

from torchatlas.cards.reader import create
from torchatlas.engine.errors import UsageError
from torchatlas.inspection.cost import count_macs
from torchatlas.networks.convolutional import ResNet
from torchatlas.networks.convolutional.resnet import BasicBlock, Bottleneck

TABLES = {"basic": (1, 2), "bottleneck": (2, 1, 1)}


def shaken(net: nn.Module, seed: int = 0) -> nn.Module:
    """In double precision, with statistics and weights of batch norm as after training."""
    numbers = torch.Generator().manual_seed(seed)
    for name, value in net.double().state_dict().items():
        if value.is_floating_point() and value.ndim == 1:
            value.copy_(torch.rand(value.shape, generator=numbers) + (0.5 if "var" in name else -0.3))
    return net.eval()


def plain(net: ResNet, x: torch.Tensor, block: str, groups: int, first: bool, small: bool) -> torch.Tensor:
    """Table 1 and figure 5 of the paper from the weights alone, in evaluation mode."""
    weights = iter(net.state_dict().values())

    def conv(x, stride=1, groups=1):
        kernel = next(weights)
        x = F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2, groups=groups)
        gain, shift, mean, variance, _ = (next(weights) for _ in range(5))
        gain, shift, mean, variance = (v[:, None, None] for v in (gain, shift, mean, variance))
        return gain * (x - mean) / (variance + 1e-5).sqrt() + shift

    x = conv(x, 1 if small else 2).clamp(min=0)
    x = x if small else F.max_pool2d(x, 3, 2, 1)
    for stage, blocks in enumerate(TABLES[block]):
        for number in range(blocks):
            stride = 2 if stage and number == 0 else 1
            if block == "basic":
                y = conv(conv(x, stride).clamp(min=0))
            else:
                y = conv(x, stride if first else 1).clamp(min=0)
                y = conv(conv(y, 1 if first else stride, groups).clamp(min=0))
            x = (y + (x if y.shape == x.shape else conv(x, stride))).clamp(min=0)
    return x.mean((2, 3)) @ next(weights).T + next(weights)


@pytest.mark.parametrize("size", [(70, 66), (32, 32), (15, 22)])
@pytest.mark.parametrize(
    ("block", "groups", "base_width", "first"),
    [
        ("basic", 1, 64, False),
        ("bottleneck", 1, 64, False),
        ("bottleneck", 1, 128, True),
        ("bottleneck", 4, 32, False),
    ],
)
def test_it_is_the_paper_s_network(block, groups, base_width, first, size):
    words = {"groups": groups, "base_width": base_width, "stride_first": first}
    net = shaken(ResNet(5, 2, size, TABLES[block], block, 8, **words))
    x = torch.randn(2, 2, *size, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        net(x), plain(net, x, block, groups, first, min(size) <= 64), rtol=1e-9, atol=1e-9
    )


# Published: 1.8, 3.6, 3.8, 7.6 and 11.3 billion in the ResNet paper's table 1 (the last two count differently
# from the sum over their layers), 25.0 million and 4.2 billion for ResNeXt-50.
@pytest.mark.parametrize(
    ("name", "parameters", "billions"),
    [
        ("resnet18", 11.7e6, 1.8),
        ("resnet34", 21.8e6, 3.7),
        ("resnet50_v1", 25.6e6, 3.9),
        ("resnet50", 25.6e6, 4.1),
        ("resnet101", 44.5e6, 7.8),
        ("resnet152", 60.2e6, 11.5),
        ("resnext50_32x4d", 25.0e6, 4.2),
    ],
)
def test_sizes_are_the_published_ones(name, parameters, billions):
    with torch.device("meta"):
        net = create(name)
        cost = count_macs(net, torch.empty(1, 3, 224, 224)).total
    assert round(cost / 1e9, 1) == billions
    assert round(sum(p.numel() for p in net.parameters()) / 1e5) == round(parameters / 1e5)


def test_squeeze_and_excitation_costs_as_much_as_published():
    with torch.device("meta"):
        net = create("resnet50_v1", attention="se")
    assert sum(p.numel() for p in net.parameters()) == 28_071_976  # 28.1 million


def test_small_images_keep_their_size_at_first():
    with torch.device("meta"):
        net, x = create("resnet18", input_size=(32, 32)), torch.empty(2, 3, 32, 32)
        assert [maps.shape[-1] for maps in net.feature_maps(x)] == [32, 16, 8, 4]
        maps = create("resnet18").feature_maps(torch.empty(2, 3, 224, 224))
    assert [each.shape[-1] for each in maps] == [56, 28, 14, 7]


def test_later_blocks_are_left_out_more_often():
    net = ResNet(3, 1, (16, 16), (1, 1, 2), width=4, drop_path=0.4)
    rates = [block.body[-1].p for stage in net.stages for block in stage]
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_a_bottleneck_is_a_quarter_as_wide_within():
    assert Bottleneck(8, 64, 1).body[3].weight.shape == (16, 16, 3, 3)
    assert Bottleneck(8, 64, 1, base_width=128).body[3].weight.shape == (32, 32, 3, 3)
    assert Bottleneck(8, 256, 1, groups=32, base_width=4).body[3].weight.shape == (128, 4, 3, 3)
    assert BasicBlock(8, 64, 1).body[3].weight.shape == (64, 64, 3, 3)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"block": "dense"}, "dense"),
        ({"groups": 2}, "block=bottleneck"),
        ({"stride_first": True}, "bottleneck"),
    ],
)
def test_what_does_not_fit_is_refused(words, said):
    with pytest.raises(UsageError, match=said):
        ResNet(**words)
