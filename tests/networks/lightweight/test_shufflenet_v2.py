import pytest
import torch
import torch.nn.functional as F

from torchatlas.cards.reader import catalog
from torchatlas.engine.errors import UsageError
from torchatlas.networks.lightweight import ShuffleNetV2

SIZES = {  # the paper's tables 5 and 8: widths; parameters and multiply-adds in millions
    "x0_5": ((48, 96, 192, 1024), 1.4, 41),
    "x1_0": ((116, 232, 464, 1024), 2.3, 146),
    "x1_5": ((176, 352, 704, 1024), 3.5, 299),
    "x2_0": ((244, 488, 976, 2048), 7.4, 591),
}


def costs(widths: tuple[int, ...]) -> tuple[int, int]:
    """Parameters and multiply-adds at 224×224, summed over the paper's table 5."""
    parameters, products = 27 * 24 + 48, 27 * 24 * 112**2
    before, side = 24, 28
    for width, units in zip(widths[:3], (4, 8, 4), strict=True):
        half = width // 2
        left = 9 * before + before * half
        first, depthwise, last = before * half, 9 * half, half * half
        parameters += left + 2 * before + 2 * half + first + depthwise + last + 6 * half
        products += (left + 4 * first + depthwise + last) * side**2
        parameters += (units - 1) * (2 * last + depthwise + 6 * half)
        products += (units - 1) * (2 * last + depthwise) * side**2
        before, side = width, side // 2
    features = widths[3]
    parameters += before * features + 2 * features + 1000 * (features + 1)
    return parameters, products + before * features * 49 + 1000 * features


@pytest.mark.parametrize("size", SIZES)
def test_sizes_are_the_published_ones(size):
    widths, parameters, products = SIZES[size]
    figures = catalog()[f"shufflenet_v2_{size}"].figures
    assert (figures["parameters"], figures["multiply_adds"]) == costs(widths)
    assert figures["parameters"] / 1e6 == pytest.approx(parameters, abs=0.05)
    assert figures["multiply_adds"] / 1e6 == pytest.approx(products, rel=0.02)


def plain(net: ShuffleNetV2, x: torch.Tensor, layers, large: bool) -> torch.Tensor:
    """The paper's figure 3 (c) and (d) and table 5 from the weights alone, in evaluation mode."""
    weights = iter(net.state_dict().values())

    def conv(x, **words):
        x = F.conv2d(x, next(weights), **words)
        gain, shift, mean, variance, _ = (next(weights) for _ in range(5))
        gain, shift, mean, variance = (v[:, None, None] for v in (gain, shift, mean, variance))
        return gain * (x - mean) / (variance + 1e-5).sqrt() + shift

    def depthwise(x, stride):
        return conv(x, stride=stride, padding=1, groups=x.shape[1])

    x = conv(x, stride=2 if large else 1, padding=1).clamp(min=0)
    if large:
        x = F.max_pool2d(x, 3, 2, 1)
    for units in layers:
        for unit in range(units):
            half = x.shape[1] // 2
            if unit == 0:
                left, right = conv(depthwise(x, 2)).clamp(min=0), x
            else:
                left, right = x[:, :half], x[:, half:]
            right = depthwise(conv(right).clamp(min=0), 2 if unit == 0 else 1)
            right = conv(right).clamp(min=0)
            x = torch.empty(len(x), 2 * left.shape[1], *left.shape[2:], dtype=x.dtype)
            x[:, 0::2], x[:, 1::2] = left, right
    return conv(x).clamp(min=0).mean((2, 3)) @ next(weights).T + next(weights)


@pytest.mark.parametrize("size", [(13, 16), (65, 68)])
def test_it_is_the_paper_s_network(size):
    numbers = torch.Generator().manual_seed(0)
    layers = (3, 2)
    net = ShuffleNetV2(5, 2, size, (12, 20), layers, stem_width=6, features=14).double().eval()
    for name, value in net.named_buffers():  # as after training
        if value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=numbers) + (0.5 if "var" in name else -0.5))
    x = torch.randn(2, 2, *size, generator=numbers, dtype=torch.double)
    torch.testing.assert_close(net(x), plain(net, x, layers, size[0] > 64), rtol=1e-9, atol=1e-9)


def test_half_of_the_channels_pass_through_a_unit():
    net = ShuffleNetV2(3, 1, (8, 8), (12,), (2,), stem_width=6).eval()
    unit, x = net.stages[0][1], torch.randn(2, 12, 4, 4)
    assert torch.equal(unit(x)[:, ::2], x[:, :6])


def test_attention_ends_the_right_branch():
    net = ShuffleNetV2(3, 1, (8, 8), (16,), (2,), attention="se")
    assert [type(unit.right[-1]).__name__ for unit in net.stages[0]] == ["SE", "SE"]


@pytest.mark.parametrize("words", [{"widths": (12, 25, 50)}, {"widths": (12, 24)}])
def test_what_does_not_fit_is_refused(words):
    with pytest.raises(UsageError, match="widths"):
        ShuffleNetV2(**words)
