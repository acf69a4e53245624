import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from torchatlas.cards.reader import catalog, create
from torchatlas.engine.errors import UsageError
from torchatlas.networks.convolutional import CifarResNet
from torchatlas.networks.convolutional.cifar_resnet import PadShortcut
from torchatlas.networks.convolutional.resnet import BasicBlock

DEPTHS = (20, 32, 44, 56, 110)


@pytest.mark.parametrize(
    ("shortcut", "counts"),
    [
        ("pad", (269_722, 464_154, 658_586, 853_018, 1_727_962)),
        ("projection", (272_474, 466_906, 661_338, 855_770, 1_730_714)),
    ],
)
def test_sizes_are_the_published_ones(shortcut, counts):
    for depth, count in zip(DEPTHS, counts, strict=True):
        with torch.device("meta"):
            net = create(f"resnet{depth}_cifar", shortcut=shortcut)
        assert sum(p.numel() for p in net.parameters()) == count
        assert sum(isinstance(m, nn.Conv2d | nn.Linear) for m in net.modules()) == depth + (
            2 if shortcut == "projection" else 0
        )


def test_cards_state_the_cost_of_each_depth():
    for depth in DEPTHS:  # 3×3 convolutions of 9·c·c products: 1,024 pixels of 16², 256 of 32², 64 of 64²
        n, figures = depth // 6, catalog()[f"resnet{depth}_cifar"].figures
        stages = [
            2 * n * 9 * 16 * 16 * 1024,
            (2 * n - 0.5) * 9 * 32 * 32 * 256,
            (2 * n - 0.5) * 9 * 64 * 64 * 64,
        ]
        assert figures["multiply_adds"] == 9 * 3 * 16 * 1024 + sum(stages) + 640


def plain(net: CifarResNet, x: torch.Tensor) -> torch.Tensor:
    """The paper's figure 3 and section 4.2 from the weights alone, in evaluation mode."""
    weights = iter(net.state_dict().values())

    def conv(x, stride=1):
        x = F.conv2d(x, next(weights), stride=stride, padding=1)
        gain, shift, mean, variance, _ = (next(weights) for _ in range(5))
        gain, shift, mean, variance = (v[:, None, None] for v in (gain, shift, mean, variance))
        return gain * (x - mean) / (variance + 1e-5).sqrt() + shift

    x = conv(x).clamp(min=0)
    for width in (16, 32, 64):
        for block in range(3):
            stride = 2 if width > 16 and block == 0 else 1
            around = torch.zeros(len(x), width, *(-(-size // stride) for size in x.shape[2:]), dtype=x.dtype)
            around[:, : x.shape[1]] = x[:, :, ::stride, ::stride]
            x = (conv(conv(x, stride).clamp(min=0)) + around).clamp(min=0)
    return x.mean((2, 3)) @ next(weights).T + next(weights)


@pytest.mark.parametrize("size", [(32, 32), (15, 22)])
def test_it_is_the_paper_s_network(size):
    numbers = torch.Generator().manual_seed(0)
    net = CifarResNet(input_size=size).double().eval()
    for name, value in net.named_buffers():  # as after training
        if value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=numbers) + (0.5 if "var" in name else -0.5))
    x = torch.randn(2, 3, *size, generator=numbers, dtype=torch.double)
    torch.testing.assert_close(net(x), plain(net, x), rtol=1e-9, atol=1e-9)


def test_the_shortcut_takes_every_other_pixel_and_adds_zeros():
    x = torch.arange(2 * 3 * 5, dtype=torch.float32).reshape(1, 2, 3, 5)
    got = PadShortcut(2, 5, 2)(x).numpy()
    assert np.array_equal(got[:, :2], x.numpy()[:, :, [0, 2]][..., [0, 2, 4]])
    assert got.shape == (1, 5, 2, 3) and not got[:, 2:].any()


@pytest.mark.parametrize(("width", "stride"), [(4, 1), (6, 1), (4, 2), (6, 2)])
def test_a_block_that_learned_nothing_passes_its_input_on(width, stride):
    block = BasicBlock(4, width, stride, shortcut=PadShortcut).eval()
    nn.init.zeros_(block.body[4].weight)
    x = torch.rand(2, 4, 6, 6)
    assert torch.equal(block(x)[:, :4], x[:, :, ::stride, ::stride])


@pytest.mark.parametrize("choice", ["se", "eca", "cbam", None, "none"])
def test_attention_weighs_what_is_added_to_the_shortcut(choice):
    torch.manual_seed(0)
    block = BasicBlock(16, 16, 1, shortcut=PadShortcut, attention=choice).double().eval()
    x = torch.randn(2, 16, 5, 5, dtype=torch.double)
    maps = block.body[:5](x)
    weighed = maps if choice in (None, "none") else block.body[5](maps)
    assert torch.allclose(maps, weighed) == (choice in (None, "none"))
    torch.testing.assert_close(block(x), (weighed + x).clamp(min=0))


def test_squeeze_and_excitation_costs_as_much_as_published():
    # by 16, without biases: 2 c² / 16 in each block of c channels
    plain, attended = (create("resnet20_cifar", attention=a) for a in (None, "se"))
    more = sum(3 * 2 * c * c // 16 for c in (16, 32, 64))
    assert sum(p.numel() for p in attended.parameters()) == 269_722 + more
    assert plain.state_dict().keys() < attended.state_dict().keys()


def test_weights_start_by_kaiming_s_rule():
    torch.manual_seed(0)
    for conv in (m for m in CifarResNet().modules() if isinstance(m, nn.Conv2d)):
        assert conv.weight.std().item() == pytest.approx((2 / (9 * conv.in_channels)) ** 0.5, rel=0.15)


@pytest.mark.parametrize("words", [{"depth": 18}, {"depth": 2}, {"depth": 21}, {"shortcut": "dense"}])
def test_what_does_not_fit_is_refused(words):
    with pytest.raises(UsageError, match=str(next(iter(words.values())))):
        CifarResNet(**words)
