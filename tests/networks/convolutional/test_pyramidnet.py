import pytest
import torch
from torch import nn
from torch.nn import functional as F

from torchatlas.cards.reader import create
from torchatlas.engine.errors import UsageError
from torchatlas.networks.convolutional import CifarPyramidNet
from torchatlas.networks.convolutional.pyramidnet import PyramidBlock, pyramid


def shaken(net: nn.Module, seed: int = 0) -> nn.Module:
    """In double precision, with statistics and weights of batch norm as after training."""
    numbers = torch.Generator().manual_seed(seed)
    for name, value in net.double().state_dict().items():
        if value.is_floating_point() and value.ndim == 1:
            value.copy_(torch.rand(value.shape, generator=numbers) + (0.5 if "var" in name else -0.3))
    return net.eval()


def plain(net: CifarPyramidNet, x: torch.Tensor, blocks: int, bottleneck: bool) -> torch.Tensor:
    """Figure 6 (d) of the paper from the weights alone, in evaluation mode."""
    weights = iter(net.state_dict().values())

    def norm(x):
        gain, shift, mean, variance, _ = (next(weights) for _ in range(5))
        gain, shift, mean, variance = (v[:, None, None] for v in (gain, shift, mean, variance))
        return gain * (x - mean) / (variance + 1e-5).sqrt() + shift

    def conv(x, stride=1):
        kernel = next(weights)
        return F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)

    x = norm(conv(x))
    for stage in range(3):
        for number in range(blocks):
            stride = 2 if stage and number == 0 else 1
            if bottleneck:
                y = conv(norm(x))
                y = conv(norm(y).clamp(min=0), stride)
            else:
                y = conv(norm(x), stride)
            y = norm(conv(norm(y).clamp(min=0)))
            around = torch.zeros_like(y)
            for row in range(y.shape[2]):
                for column in range(y.shape[3]):
                    window = x[
                        :, :, row * stride : (row + 1) * stride, column * stride : (column + 1) * stride
                    ]
                    around[:, : x.shape[1], row, column] = window.mean((2, 3))
            x = y + around
    return norm(x).clamp(min=0).mean((2, 3)) @ next(weights).T + next(weights)


@pytest.mark.parametrize(("depth", "bottleneck"), [(14, False), (20, True)])
@pytest.mark.parametrize("size", [(8, 8), (7, 10)])
def test_it_is_the_paper_s_network(depth, bottleneck, size):
    net = shaken(CifarPyramidNet(3, 2, size, depth, 20, bottleneck))
    x = torch.randn(2, 2, *size, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(net(x), plain(net, x, 2, bottleneck), rtol=1e-9, atol=1e-9)


def test_channels_grow_by_the_same_step():
    assert pyramid((3, 3), 16, 48) == [[24, 32, 40], [48, 56, 64]]
    assert pyramid((2, 2), 16, 5) == [[17, 19], [20, 21]]  # 17.25, 18.5, 19.75, 21
    assert pyramid((18,) * 3, 16, 48)[0][:4] == [17, 18, 19, 20]
    assert [row[-1] for row in pyramid((18,) * 3, 16, 84)] == [44, 72, 100]


# The sizes of the networks as their authors' code makes them.
@pytest.mark.parametrize(
    ("name", "parameters", "depth", "last"),
    [
        ("pyramidnet110_a48_cifar", 1_772_706, 110, 64),
        ("pyramidnet110_a84_cifar", 3_904_446, 110, 100),
        ("pyramidnet110_a270_cifar", 28_485_477, 110, 286),
        ("pyramidnet164_a270_cifar", 27_216_021, 164, 4 * 286),
        ("pyramidnet272_a200_cifar", 26_210_842, 272, 4 * 216),
    ],
)
def test_sizes_are_the_published_ones(name, parameters, depth, last):
    with torch.device("meta"):
        net = create(name)
        maps = net.feature_maps(torch.empty(1, 3, 32, 32))
    assert sum(p.numel() for p in net.parameters()) == parameters
    assert sum(isinstance(m, nn.Conv2d | nn.Linear) for m in net.modules()) == depth
    assert [each.shape[-1] for each in maps] == [32, 16, 8] and maps[-1].shape[1] == last


@pytest.mark.parametrize("bottleneck", [False, True])
def test_a_block_that_learned_nothing_passes_its_input_on(bottleneck):
    block, x = PyramidBlock(4, 8, 1, bottleneck), torch.randn(2, 4, 6, 6)
    nn.init.zeros_(block.end[0].weight)
    assert torch.equal(block(x)[:, :4], x) and not block(x)[:, 4:].any()


def test_later_blocks_are_left_out_more_often():
    net = CifarPyramidNet(depth=8, alpha=6, drop_path=0.6)
    rates = [block.end[-1].p for stage in net.stages for block in stage]
    assert rates == pytest.approx([0.2, 0.4, 0.6])


@pytest.mark.parametrize(
    ("words", "said"),
    [({"depth": 111}, "6n"), ({"depth": 115, "bottleneck": True}, "9n"), ({"alpha": -1}, "0 or more")],
)
def test_what_does_not_fit_is_refused(words, said):
    with pytest.raises(UsageError, match=said):
        CifarPyramidNet(**words)
