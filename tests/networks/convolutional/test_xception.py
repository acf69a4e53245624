import pytest
import torch
from torch import nn
from torch.nn import functional as F

from torchatlas.cards.reader import create
from torchatlas.engine.errors import UsageError
from torchatlas.networks.convolutional import Xception
from torchatlas.networks.convolutional.xception import XceptionBlock


def shaken(net: nn.Module, seed: int = 0) -> nn.Module:
    """In double precision, with statistics and weights of batch norm as after training."""
    numbers = torch.Generator().manual_seed(seed)
    for name, value in net.double().state_dict().items():
        if value.is_floating_point() and value.ndim == 1:
            value.copy_(torch.rand(value.shape, generator=numbers) + (0.5 if "var" in name else -0.3))
    return net.eval()


def plain(net: Xception, x: torch.Tensor, middle: int, small: bool) -> torch.Tensor:
    """Figure 5 of the paper with two entry blocks, from the weights alone, in evaluation mode."""
    weights = iter(net.state_dict().values())

    def conv(x, stride=1, padding=0):
        x = F.conv2d(x, next(weights), stride=stride, padding=padding)
        return norm(x)

    def norm(x):
        gain, shift, mean, variance, _ = (next(weights) for _ in range(5))
        gain, shift, mean, variance = (v[:, None, None] for v in (gain, shift, mean, variance))
        return gain * (x - mean) / (variance + 1e-5).sqrt() + shift

    def separable(x):
        each = next(weights)
        x = torch.stack([F.conv2d(x[:, [k]], each[[k]], padding=1)[:, 0] for k in range(len(each))], 1)
        return norm(torch.einsum("oi,bihw->bohw", next(weights)[..., 0, 0], x))

    def halved(x, stride, activated=True):
        y = separable(x.clamp(min=0) if activated else x)
        y = separable(y.clamp(min=0))
        return (y if stride == 1 else F.max_pool2d(y, 3, 2, 1)) + conv(x, stride)

    x = conv(x, 1 if small else 2, int(small)).clamp(min=0)
    x = conv(x, 1, int(small)).clamp(min=0)
    x = halved(halved(x, 1 if small else 2, activated=False), 2)
    for _ in range(middle):
        y = x
        for _ in range(3):
            y = separable(y.clamp(min=0))
        x = x + y
    x = halved(x, 2)
    x = separable(separable(x).clamp(min=0)).clamp(min=0)
    return x.mean((2, 3)) @ next(weights).T + next(weights)


@pytest.mark.parametrize("size", [(67, 70), (16, 16), (13, 22)])
def test_it_is_the_paper_s_network(size):
    net = shaken(Xception(3, 2, size, (3, 4), (6, 5), 2, (5, 7, 8, 9)))
    x = torch.randn(2, 2, *size, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(net(x), plain(net, x, 2, min(size) <= 64), rtol=1e-9, atol=1e-9)


def test_its_size_is_the_published_one():
    with torch.device("meta"):
        net = create("xception")
        maps = net.feature_maps(torch.empty(1, 3, 299, 299))
        small = create("xception", input_size=(32, 32)).feature_maps(torch.empty(2, 3, 32, 32))
    assert sum(p.numel() for p in net.parameters()) == 22_855_952
    assert [tuple(each.shape[1:]) for each in maps] == [
        (128, 74, 74),
        (256, 37, 37),
        (728, 19, 19),
        (1024, 10, 10),
    ]
    assert [each.shape[-1] for each in small] == [32, 16, 8, 4]
    assert [len(stage) for stage in net.stages] == [1, 1, 9, 1]
    layers = [m for m in net.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    assert len(layers) == 36  # "36 convolutional layers"


def test_nothing_stands_between_pixels_and_channels():
    block = XceptionBlock(3, (4,), activated=False).eval()
    nn.init.zeros_(block.shortcut[1].weight)
    x = torch.randn(2, 3, 5, 5)
    torch.testing.assert_close(block(x) + block(-x), 2 * block(torch.zeros_like(x)), atol=1e-6, rtol=1e-5)


def test_dropout_stands_before_the_head():
    net = Xception(3, 1, (12, 12), (4, 4), (4,), 0, (4, 4, 4, 4), dropout=1.0)
    assert not net.forward_features(torch.randn(2, 1, 12, 12)).any()
    assert create("xception", entry=(8,), middle=0, exit=(8, 8, 8, 8)).neck[-1].p == 0.5


@pytest.mark.parametrize("words", [{"stem": (8,)}, {"entry": ()}, {"exit": (8, 8)}])
def test_what_does_not_fit_is_refused(words):
    with pytest.raises(UsageError, match="two widths in stem"):
        Xception(**words)
