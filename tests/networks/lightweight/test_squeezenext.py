import pytest
import torch
import torch.nn.functional as F

from torchatlas.cards.reader import catalog
from torchatlas.engine.errors import UsageError
from torchatlas.networks.lightweight import SqueezeNext

UNITS = {"23": (6, 6, 8, 1), "v5": (2, 4, 14, 1)}
SIDES = (55, 28, 14, 7)


def costs(version: str, width: int, groups: int) -> tuple[int, int]:
    """Parameters and multiply-adds at 227×227, summed over the authors' layers."""
    kernel, sides = (7, SIDES) if version == "23" else (5, (56, 28, 14, 7))
    layers = [(3, 64, kernel * kernel, 1, (227 - kernel) // 2 + 1)]  # in, out, taps, groups, side
    before = 64
    for stage, units in enumerate(UNITS[version]):
        w, side = width * 2**stage, sides[stage]
        layers += [(before, w, 1, 1, side)]  # the shortcut
        for unit in range(units):
            seen = before if unit == 0 and version == "23" else w
            layers += [(seen, w // 2, 1, groups, side), (w // 2, w // 4, 1, 1, side)]
            layers += [(w // 4, w // 2, 3, groups, side), (w // 2, w // 2, 3, groups, side)]
            layers += [(w // 2, w, 1, 1, side)]
        before = w
    layers += [(before, 128, 1, 1, 7)]
    kernels = [(i * o * taps // g, o, side) for i, o, taps, g, side in layers]
    parameters = sum(weights + 2 * o for weights, o, _ in kernels) + 129_000
    return parameters, sum(weights * side**2 for weights, _, side in kernels) + 128_000


@pytest.mark.parametrize(
    ("name", "version", "width", "groups", "parameters"),
    [
        ("squeezenext", "23", 32, 1, 718_280),
        ("squeezenext_g", "23", 32, 2, 544_072),
        ("squeezenext_v5", "v5", 32, 1, 931_016),
        ("squeezenext_x2", "23", 64, 1, 2_362_728),
        ("squeezenext_v5_x2", "v5", 64, 1, 3_223_912),
    ],
)
def test_sizes_are_the_authors(name, version, width, groups, parameters):
    figures = catalog()[name].figures
    expected = costs(version, width, groups)
    assert (figures["parameters"], figures["multiply_adds"]) == expected
    assert parameters == expected[0]


def plain(net: SqueezeNext, x: torch.Tensor, layers, groups: int, stem: int, shared: bool) -> torch.Tensor:
    """The authors' layers from the weights alone, in evaluation mode."""
    state = iter(net.state_dict().values())

    def weights():
        return [next(state) for _ in range(6)][:5]

    def conv(x, layer, **words):
        weight, gain, shift, mean, variance = layer
        x = F.conv2d(x, weight, **words)
        gain, shift, mean, variance = (v[:, None, None] for v in (gain, shift, mean, variance))
        return (gain * (x - mean) / (variance + 1e-5).sqrt() + shift).clamp(min=0)

    x = conv(x, weights(), stride=2 if stem else 1, padding=0 if stem else 1)
    if stem:
        x = F.max_pool2d(x, 3, 2, ceil_mode=True)
    number = 0
    for stage, units in enumerate(layers):
        stride = 2 if stage else 1
        if shared:
            x = conv(x, weights(), stride=stride)
        for unit in range(units):
            five = [weights() for _ in range(5)]
            first = unit == 0 and not shared
            around = conv(x, weights(), stride=stride) if first else x
            y = conv(x, five[0], stride=stride if first else 1, groups=groups)
            y = conv(y, five[1])
            for k in (2, 3):  # as wide as high in turn, which changes from unit to unit
                high = (k + number) % 2 == 0
                assert five[k][0].shape[2:] == ((3, 1) if high else (1, 3))
                y = conv(y, five[k], padding=(1, 0) if high else (0, 1), groups=groups)
            x, number = (conv(y, five[4]) + around).clamp(min=0), number + 1
    return conv(x, weights()).mean((2, 3)) @ next(state).T + next(state)


@pytest.mark.parametrize(("size", "stem"), [((14, 11), 0), ((67, 70), 7), ((70, 65), 5)])
@pytest.mark.parametrize(("groups", "transition"), [(1, "beside"), (2, "beside"), (1, "shared")])
def test_it_is_the_authors_network(size, stem, groups, transition):
    numbers = torch.Generator().manual_seed(0)
    layers = (3, 2)
    words = {"layers": layers, "width": 16, "groups": groups, "stem_width": 8, "features": 12}
    net = SqueezeNext(5, 2, size, stem_kernel=stem, transition=transition, **words).double().eval()
    for name, value in net.named_buffers():  # as after training
        if value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=numbers) + (0.5 if "var" in name else -0.5))
    x = torch.randn(2, 2, *size, generator=numbers, dtype=torch.double)
    expected = plain(net, x, layers, groups, stem, transition == "shared")
    torch.testing.assert_close(net(x), expected, rtol=1e-9, atol=1e-9)


def test_a_projection_stands_at_the_first_unit_even_where_widths_agree():
    net = SqueezeNext(3, 1, (8, 8), layers=(2,), width=64)
    assert "stages.0.0.shortcut.0.weight" in net.state_dict()
    assert "stages.0.1.shortcut.0.weight" not in net.state_dict()


@pytest.mark.parametrize("words", [{"transition": "late"}, {"width": 12, "groups": 2}, {"width": 30}])
def test_what_does_not_fit_is_refused(words):
    with pytest.raises(UsageError, match=next(iter(words))):
        SqueezeNext(**words)
