import pytest
import torch
from torch import nn
from torch.nn import functional as F

from torchatlas.cards.reader import create
from torchatlas.engine.errors import UsageError
from torchatlas.networks.convolutional import CifarDenseNet, DenseNet


def shaken(net: nn.Module, seed: int = 0) -> nn.Module:
    """In double precision, with statistics and weights of batch norm as after training."""
    numbers = torch.Generator().manual_seed(seed)
    for name, value in net.double().state_dict().items():
        if value.is_floating_point() and value.ndim == 1:
            value.copy_(torch.rand(value.shape, generator=numbers) + (0.5 if "var" in name else -0.3))
    return net.eval()


class Plain:
    """Section 3 of the paper from the weights alone, in evaluation mode."""

    def __init__(self, net: nn.Module):
        self.weights = iter(net.state_dict().values())

    def norm(self, x: torch.Tensor) -> torch.Tensor:
        gain, shift, mean, variance, _ = (next(self.weights) for _ in range(5))
        gain, shift, mean, variance = (v[:, None, None] for v in (gain, shift, mean, variance))
        return (gain * (x - mean) / (variance + 1e-5).sqrt() + shift).clamp(min=0)

    def conv(self, x: torch.Tensor, stride: int = 1) -> torch.Tensor:
        kernel = next(self.weights)
        return F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)

    def stages(self, x: torch.Tensor, layers: tuple[int, ...], bottleneck: bool) -> torch.Tensor:
        for stage, count in enumerate(layers):
            if stage:
                y = self.conv(self.norm(x))
                high, wide = (side // 2 * 2 for side in y.shape[2:])
                y = y[:, :, :high, :wide]
                x = (y[..., ::2, ::2] + y[..., 1::2, ::2] + y[..., ::2, 1::2] + y[..., 1::2, 1::2]) / 4
            maps = [x]
            for _ in range(count):
                y = torch.cat(maps, 1)  # all that came before
                y = self.conv(self.norm(y)) if bottleneck else y
                maps.append(self.conv(self.norm(y)))
            x = torch.cat(maps, 1)
        return self.norm(x).mean((2, 3)) @ next(self.weights).T + next(self.weights)


@pytest.mark.parametrize("size", [(70, 66), (32, 32), (15, 22)])
def test_it_is_the_paper_s_network(size):
    net = shaken(DenseNet(5, 2, size, (2, 3), growth=4, width=6))
    x = torch.randn(2, 2, *size, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    plain = Plain(net)
    small = min(size) <= 64
    y = plain.norm(plain.conv(x, 1 if small else 2))
    y = y if small else F.max_pool2d(y, 3, 2, 1)
    torch.testing.assert_close(net(x), plain.stages(y, (2, 3), True), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("depth", "bottleneck", "compression"), [(13, False, 1.0), (16, True, 0.5)])
def test_it_is_the_paper_s_network_for_small_images(depth, bottleneck, compression):
    net = shaken(CifarDenseNet(3, 2, (14, 11), depth, 5, bottleneck, compression))
    layers = (depth - 4) // (6 if bottleneck else 3)
    x = torch.randn(2, 2, 14, 11, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    plain = Plain(net)
    expected = plain.stages(plain.conv(x), (layers,) * 3, bottleneck)
    torch.testing.assert_close(net(x), expected, rtol=1e-9, atol=1e-9)


# Published in table 2, in millions of parameters for CIFAR-10
@pytest.mark.parametrize(
    ("name", "millions", "depth"),
    [
        ("densenet_cifar", 1.0, 40),
        ("densenet100_k12_cifar", 7.0, 100),
        ("densenet100_k24_cifar", 27.2, 100),
        ("densenet_bc100_k12_cifar", 0.8, 100),
        ("densenet_bc250_k24_cifar", 15.3, 250),
        ("densenet_bc190_k40_cifar", 25.6, 190),
    ],
)
def test_sizes_are_the_published_ones(name, millions, depth):
    with torch.device("meta"):
        net = create(name)
    assert round(sum(p.numel() for p in net.parameters()) / 1e6, 1) == millions
    assert sum(isinstance(m, nn.Conv2d | nn.Linear) for m in net.modules()) == depth


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("densenet121", [256, 512, 1024, 1024]),
        ("densenet169", [256, 512, 1280, 1664]),
        ("densenet201", [256, 512, 1792, 1920]),
        ("densenet161", [384, 768, 2112, 2208]),
    ],
)
def test_maps_are_as_wide_as_all_their_layers_together(name, channels):
    with torch.device("meta"):
        net = create(name)
        maps = net.feature_maps(torch.empty(1, 3, 224, 224))
    assert [each.shape[1] for each in maps] == channels
    assert [each.shape[-1] for each in maps] == [56, 28, 14, 7]
    convolutions = sum(isinstance(m, nn.Conv2d | nn.Linear) for m in net.modules())
    assert f"densenet{convolutions}" == name


def test_small_images_keep_their_size_at_first():
    with torch.device("meta"):
        net = create("densenet121", input_size=(32, 32), layers=(1, 1, 1, 1))
        maps = net.feature_maps(torch.empty(2, 3, 32, 32))
    assert [each.shape[-1] for each in maps] == [32, 16, 8, 4]


def test_what_came_in_goes_out_unchanged():
    layer = DenseNet(3, 1, (12, 12), (2,), growth=4, width=6).stages[0][1]
    x = torch.randn(2, 10, 5, 5)
    assert torch.equal(layer(x)[:, :10], x) and layer(x).shape[1] == 14


@pytest.mark.parametrize(("make", "expected"), [(DenseNet, 2 * 7 + 1), (CifarDenseNet, 3 * 12 + 2)])
def test_dropout_follows_every_convolution_after_the_stem(make, expected):
    words = {"layers": (3, 4), "width": 8} if make is DenseNet else {}
    net = make(input_size=(12, 12), growth=4, dropout=0.2, **words)
    drops = [m.p for m in net.modules() if isinstance(m, nn.Dropout)]
    assert drops == [0.2] * expected
    assert net.stages[1].transition[3].p == 0.2  # before the pooling
    assert not any(isinstance(m, nn.Dropout) for m in make(growth=4, **words).modules())


@pytest.mark.parametrize(
    ("make", "words", "said"),
    [
        (DenseNet, {"compression": 0.0}, "above 0"),
        (DenseNet, {"input_size": (7, 9)}, "take 8 pixels"),
        (CifarDenseNet, {"depth": 41}, "3n"),
        (CifarDenseNet, {"depth": 4}, "7, 10"),
        (CifarDenseNet, {"depth": 43, "bottleneck": True}, "6n"),
        (CifarDenseNet, {"compression": 1.5}, "1.5"),
    ],
)
def test_what_does_not_fit_is_refused(make, words, said):
    with pytest.raises(UsageError, match=said):
        make(**words)
