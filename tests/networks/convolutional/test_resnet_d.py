import pytest
import torch
from torch import nn
from torch.nn import functional as F

from torchatlas.cards.reader import create
from torchatlas.engine.errors import UsageError
from torchatlas.inspection.cost import count_macs
from torchatlas.networks.convolutional import ResNetD
from torchatlas.networks.convolutional.resnet_d import deep_stem, mean_shortcut

LAYERS = (2, 1, 1)


def shaken(net: nn.Module, seed: int = 0) -> nn.Module:
    """In double precision, with statistics and weights of batch norm as after training."""
    numbers = torch.Generator().manual_seed(seed)
    for name, value in net.double().state_dict().items():
        if value.is_floating_point() and value.ndim == 1:
            value.copy_(torch.rand(value.shape, generator=numbers) + (0.5 if "var" in name else -0.3))
    return net.eval()


def mean_of_pixels(x: torch.Tensor) -> torch.Tensor:
    """The mean of each 2×2 pixels, of those that there are at the lower and right border."""
    rows, columns = range(0, x.shape[2], 2), range(0, x.shape[3], 2)
    parts = [torch.stack([x[:, :, i : i + 2, j : j + 2].mean((2, 3)) for j in columns], -1) for i in rows]
    return torch.stack(parts, -2)


def plain(net: ResNetD, x: torch.Tensor, rs: bool, small: bool) -> torch.Tensor:
    """Figure 2 of the ResNet-D paper, or table 11 of ResNet-RS's, from the weights alone."""
    weights = iter(net.state_dict().values())

    def conv(x, stride=1):
        kernel = next(weights)
        x = F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)
        gain, shift, mean, variance, _ = (next(weights)[..., None, None] for _ in range(5))
        return gain * (x - mean) / (variance + 1e-5).sqrt() + shift

    def affine(v):
        matrix, shift = next(weights), next(weights)
        return torch.einsum("bi,oi->bo", v, matrix.reshape(len(shift), -1)) + shift

    down = 1 if small else 2
    for stride in (down, 1, 1, down) if rs else (down, 1, 1):
        x = conv(x, stride).clamp(min=0)
    x = x if rs or small else F.max_pool2d(x, 3, 2, 1)
    for number, blocks in enumerate(LAYERS):
        for k in range(blocks):
            halved = number > 0 and k == 0
            y = conv(conv(conv(x).clamp(min=0), 2 if halved else 1).clamp(min=0))
            if rs:
                share = affine(affine(y.mean((2, 3))).clamp(min=0))
                y = y / (1 + (-share[..., None, None]).exp())
            around = conv(mean_of_pixels(x) if halved else x) if k == 0 else x
            x = (y + around).clamp(min=0)
    return affine(x.mean((2, 3)))


@pytest.mark.parametrize("size", [(70, 99), (15, 22)])
@pytest.mark.parametrize("rs", [False, True])
def test_it_is_the_papers_network(rs, size):
    net = shaken(ResNetD(5, 2, size, LAYERS, 8, stem_pool=not rs, squeeze=4 if rs else 0))
    x = torch.randn(2, 2, *size, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(net(x), plain(net, x, rs, min(size) <= 64), rtol=1e-9, atol=1e-9)


# Published: millions of parameters, and for ResNet-RS billions of operations, two to a multiply-add.
@pytest.mark.parametrize(
    ("name", "side", "parameters", "operations"),
    [("resnet50d", 224, 25.6, 2 * 4.3), ("resnetrs50", 160, 35.7, 4.6), ("resnetrs101", 192, 63.6, 12.0)],
)
def test_sizes_are_the_published_ones(name, side, parameters, operations):
    with torch.device("meta"):
        net = create(name)
        cost = count_macs(net, torch.empty(1, 3, side, side)).total
    assert round(sum(p.numel() for p in net.parameters()) / 1e6, 1) == parameters
    assert 2 * cost / 1e9 == pytest.approx(operations, abs=0.1)


@pytest.mark.parametrize(("name", "parameters"), [("resnetrs152", 87), ("resnetrs200", 93)])
def test_deeper_ones_have_the_published_parameters(name, parameters):
    with torch.device("meta"):
        assert round(sum(p.numel() for p in create(name).parameters()) / 1e6) == parameters


def test_the_stem_halves_twice_or_not_at_all():
    x = torch.randn(1, 3, 32, 48)
    for pool in (True, False):
        assert deep_stem(3, 8, False, pool=pool)(x).shape == (1, 8, 8, 12)
        assert deep_stem(3, 8, True, pool=pool)(x).shape == (1, 8, 32, 48)
    widths = [layer.out_channels for layer in deep_stem(3, 8, False) if isinstance(layer, nn.Conv2d)]
    assert widths == [4, 4, 8]


def test_a_shortcut_sees_every_pixel():
    shortcut, x = mean_shortcut(1, 1, 2).eval(), torch.randn(1, 1, 5, 7, requires_grad=True)
    shortcut(x).sum().backward()
    assert (x.grad != 0).all()


def test_small_images_keep_their_size_at_first():
    with torch.device("meta"):
        maps = create("resnetrs50", input_size=(32, 32)).feature_maps(torch.empty(2, 3, 32, 32))
    assert [each.shape[-1] for each in maps] == [32, 16, 8, 4]


@pytest.mark.parametrize(
    ("words", "said"), [({"width": 7}, "even"), ({"squeeze": 4, "attention": "eca"}, "squeeze=0")]
)
def test_what_does_not_fit_is_refused(words, said):
    with pytest.raises(UsageError, match=said):
        ResNetD(**words)
