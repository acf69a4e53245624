import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from torchatlas.cards.reader import create
from torchatlas.engine.errors import UsageError
from torchatlas.inspection.cost import count_macs
from torchatlas.networks.convolutional import ConvNeXt
from torchatlas.networks.convolutional.convnext import ConvNeXtBlock, GlobalResponseNorm


def shaken(net: nn.Module, seed: int = 0) -> nn.Module:
    """In double precision, with all weights as after training."""
    numbers = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in net.double().parameters():
            value.copy_(torch.rand(value.shape, generator=numbers) - 0.4)
    return net.eval()


def plain(net: ConvNeXt, x: torch.Tensor, layers: tuple[int, ...], grn: bool, small: bool) -> torch.Tensor:
    """Section 2 of the first paper and algorithm 1 of the second from the weights alone."""
    state = dict(net.state_dict())

    def affine(x, name):  # over the channels of each pixel
        weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        return torch.einsum("oi,bi...->bo...", weight, x) + bias.view(-1, *[1] * (x.ndim - 2))

    def norm(x, name):
        x = x - x.mean(1, keepdim=True)
        x = x / (x.square().mean(1, keepdim=True) + 1e-6).sqrt()
        shape = (-1, *[1] * (x.ndim - 2))
        return x * state[f"{name}.weight"].view(shape) + state[f"{name}.bias"].view(shape)

    def conv(x, name, **words):
        return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], **words)

    def block(x, name):
        y = conv(x, f"{name}.conv", padding=3, groups=x.shape[1])
        y = affine(norm(y, f"{name}.norm"), f"{name}.mlp.0")
        y = y * (1 + torch.erf(y / math.sqrt(2))) / 2
        if grn:
            size = y.square().sum((2, 3), keepdim=True).sqrt()
            gamma, beta = (state[f"{name}.mlp.2.{word}"][:, None, None] for word in ("weight", "bias"))
            y = gamma * (y * (size / (size.mean(1, keepdim=True) + 1e-6))) + beta + y
        y = affine(y, f"{name}.mlp.3")
        return x + (y if grn else y * state[f"{name}.scale"][:, None, None])

    x = conv(x, "stem.0", padding=1) if small else conv(x, "stem.0", stride=4)
    x = norm(x, "stem.1")
    for stage, blocks in enumerate(layers):
        if stage:
            x = conv(norm(x, f"stages.{stage}.downsample.0"), f"stages.{stage}.downsample.1", stride=2)
        for number in range(blocks):
            x = block(x, f"stages.{stage}.block{number}")
    return affine(norm(x.mean((2, 3)), "neck.2"), "head")


@pytest.mark.parametrize("grn", [False, True])
@pytest.mark.parametrize("size", [(70, 66), (16, 16), (9, 14)])
def test_it_is_the_paper_s_network(size, grn):
    scale = 0.0 if grn else 1e-6
    net = shaken(ConvNeXt(3, 2, size, (1, 2), (4, 6), grn=grn, layer_scale=scale))
    x = torch.randn(2, 2, *size, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    expected = plain(net, x, (1, 2), grn, min(size) <= 64)
    torch.testing.assert_close(net(x), expected, rtol=1e-9, atol=1e-9)


# Published in millions of parameters and billions of multiply-adds
@pytest.mark.parametrize(
    ("name", "millions", "billions"),
    [
        ("convnext_tiny", 28.6, 4.5),
        ("convnext_small", 50.2, 8.7),
        ("convnext_base", 88.6, 15.4),
        ("convnextv2_atto", 3.7, 0.5),
        ("convnextv2_tiny", 28.6, 4.5),
    ],
)
def test_sizes_are_the_published_ones(name, millions, billions):
    with torch.device("meta"):
        net = create(name)
        cost = count_macs(net, torch.empty(1, 3, 224, 224)).total
    assert round(sum(p.numel() for p in net.parameters()) / 1e6, 1) == millions
    assert round(cost / 1e9, 1) == billions


def test_small_images_keep_their_size_at_first():
    with torch.device("meta"):
        small = create("convnext_tiny", input_size=(32, 32)).feature_maps(torch.empty(2, 3, 32, 32))
        maps = create("convnext_tiny").feature_maps(torch.empty(1, 3, 224, 224))
    assert [each.shape[-1] for each in small] == [32, 16, 8, 4]
    assert [each.shape[-1] for each in maps] == [56, 28, 14, 7]


def test_channels_compete_by_their_norms():
    norm = GlobalResponseNorm(2).double()
    x = torch.zeros(1, 1, 2, 2, dtype=torch.double)
    x[0, 0, :, 0], x[0, 0, :, 1] = torch.tensor([3.0, 4.0]), torch.tensor([15.0, 0.0])  # norms 5 and 15
    assert torch.equal(norm(x), x)  # at the start it does nothing
    nn.init.ones_(norm.weight)
    expected = torch.stack([x[0, 0, :, 0] * 1.5, x[0, 0, :, 1] * 2.5], 1)
    torch.testing.assert_close(norm(x)[0, 0], expected, rtol=1e-6, atol=1e-6)


def test_a_block_begins_almost_as_the_identity():
    torch.manual_seed(0)
    x = torch.randn(2, 4, 8, 8)
    assert torch.equal(ConvNeXtBlock(4).scale, torch.full((4,), 1e-6))
    torch.testing.assert_close(ConvNeXtBlock(4)(x), x, rtol=0, atol=1e-5)
    assert ConvNeXtBlock(4, layer_scale=0.0).scale is None


def test_weights_start_small():
    torch.manual_seed(0)
    net = ConvNeXt(layers=(1,), widths=(64,), input_size=(32, 32))
    assert net.stages[0].block0.mlp[0].weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert not net.stem[0].bias.any() and not net.stages[0].block0.conv.bias.any()


def test_later_blocks_are_left_out_more_often():
    net = ConvNeXt(3, 1, (16, 16), (1, 1, 2), (4, 4, 4), drop_path=0.4)
    rates = [m.drop.p for m in net.modules() if isinstance(m, ConvNeXtBlock)]
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"layers": (1, 1)}, "its width"),
        ({"kernel": 4}, "odd"),
        ({"input_size": (7, 40)}, "take 8 pixels"),
    ],
)
def test_what_does_not_fit_is_refused(words, said):
    with pytest.raises(UsageError, match=said):
        ConvNeXt(**words)
