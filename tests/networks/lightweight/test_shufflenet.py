import pytest
import torch
import torch.nn.functional as F

from torchatlas.cards.reader import catalog
from torchatlas.engine.errors import UsageError
from torchatlas.networks.lightweight import ShuffleNet

WIDTHS = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}  # the paper's table 1
COMPLEXITY = {1: 143, 2: 140, 3: 137, 4: 133, 8: 137}  # millions of multiply-adds, there


def costs(groups: int) -> tuple[int, int]:
    """Parameters and multiply-adds at 224×224, summed over the paper's table."""
    parameters, products = 27 * 24 + 48, 27 * 24 * 112**2
    before, side, width = 24, 28, WIDTHS[groups]
    for units in (4, 8, 4):
        for unit in range(units):
            middle, made = width // 4, width - before if unit == 0 else width
            first = before * middle // (1 if before == 24 else groups)
            last = middle * made // groups
            parameters += first + 9 * middle + last + 2 * (2 * middle + made)
            products += (first * (4 if unit == 0 else 1) + 9 * middle + last) * side**2
            before = width
        side, width = side // 2, 2 * width
    return parameters + 1000 * (before + 1), products + 1000 * before


@pytest.mark.parametrize("groups", WIDTHS)
def test_sizes_are_the_published_ones(groups):
    figures = catalog()["shufflenet_v1" if groups == 3 else f"shufflenet_v1_g{groups}"].figures
    assert (figures["parameters"], figures["multiply_adds"]) == costs(groups)
    assert figures["multiply_adds"] / 1e6 == pytest.approx(COMPLEXITY[groups], abs=1.5)


def plain(net: ShuffleNet, x: torch.Tensor, layers, groups: int, large: bool) -> torch.Tensor:
    """The paper's figure 2 and table 1 from the weights alone, in evaluation mode."""
    weights = iter(net.state_dict().values())

    def conv(x, **words):
        x = F.conv2d(x, next(weights), **words)
        gain, shift, mean, variance, _ = (next(weights) for _ in range(5))
        gain, shift, mean, variance = (v[:, None, None] for v in (gain, shift, mean, variance))
        return gain * (x - mean) / (variance + 1e-5).sqrt() + shift

    x = conv(x, stride=2 if large else 1, padding=1).clamp(min=0)
    if large:
        x = F.max_pool2d(x, 3, 2, 1)
    for stage, units in enumerate(layers):
        for unit in range(units):
            stride = 2 if unit == 0 else 1
            y = conv(x, groups=groups if stage or unit else 1).clamp(min=0)
            each = y.shape[1] // groups
            shuffled = torch.empty_like(y)
            for group in range(groups):
                for channel in range(each):
                    shuffled[:, channel * groups + group] = y[:, group * each + channel]
            y = conv(shuffled, stride=stride, padding=1, groups=y.shape[1])
            y = conv(y, groups=groups)
            if unit == 0:  # zeros of the border count in the mean
                ninth = torch.full((x.shape[1], 1, 3, 3), 1 / 9, dtype=x.dtype)
                y = torch.cat((y, F.conv2d(x, ninth, stride=2, padding=1, groups=x.shape[1])), 1)
            else:
                y = y + x
            x = y.clamp(min=0)
    return x.mean((2, 3)) @ next(weights).T + next(weights)


@pytest.mark.parametrize("size", [(13, 16), (65, 68)])
@pytest.mark.parametrize(("groups", "width"), [(1, 20), (2, 24), (3, 36)])
def test_it_is_the_paper_s_network(size, groups, width):
    numbers = torch.Generator().manual_seed(0)
    layers = (2, 3)
    net = ShuffleNet(5, 2, size, groups, width, layers, stem_width=12).double().eval()
    for name, value in net.named_buffers():  # as after training
        if value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=numbers) + (0.5 if "var" in name else -0.5))
    x = torch.randn(2, 2, *size, generator=numbers, dtype=torch.double)
    expected = plain(net, x, layers, groups, size[0] > 64)
    torch.testing.assert_close(net(x), expected, rtol=1e-9, atol=1e-9)


def test_attention_and_stochastic_depth_are_at_the_ends_of_bodies():
    net = ShuffleNet(3, 1, (8, 8), 2, 24, (2,), 8, attention="eca", drop_path=0.5)
    names = [[type(part).__name__ for part in unit.body][8:] for unit in net.stages[0]]
    assert names == [["ECA"], ["ECA", "StochasticDepth"]]
    assert net.stages[0][1].body[-1].p == 0.5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"groups": 5}, "not for 5"),
        ({"groups": 2, "width": 28}, "multiple of 4 · groups = 8"),
        ({"groups": 3, "width": 48, "stem_width": 25}, "stem_width=25"),
        ({"groups": 2, "width": 24}, "stem_width=24"),
    ],
)
def test_what_does_not_fit_is_refused(words, message):
    with pytest.raises(UsageError, match=message):
        ShuffleNet(**words)
