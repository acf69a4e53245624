import pytest
import torch
import torch.nn.functional as F

from torchatlas.cards.reader import catalog
from torchatlas.networks.lightweight import GhostNet
from torchatlas.networks.lightweight.ghostnet import GhostBottleneck, GhostModule

SIZES = {"050": (0.5, 2.6, 42), "100": (1.0, 5.2, 141), "130": (1.3, 7.3, 226)}  # the paper's table 7
ROWS = (  # its table 1: kernel, within, out, squeeze and excitation, stride
    *((3, 16, 16, 0, 1), (3, 48, 24, 0, 2), (3, 72, 24, 0, 1), (5, 72, 40, 1, 2), (5, 120, 40, 1, 1)),
    *((3, 240, 80, 0, 2), (3, 200, 80, 0, 1), (3, 184, 80, 0, 1), (3, 184, 80, 0, 1), (3, 480, 112, 1, 1)),
    *((3, 672, 112, 1, 1), (5, 672, 160, 1, 2), (5, 960, 160, 0, 1), (5, 960, 160, 1, 1)),
    *((5, 960, 160, 0, 1), (5, 960, 160, 1, 1)),
)


def fours(width: float) -> int:
    """The nearest multiple of 4 (a half goes up), or the next where that is below 90 %."""
    near = max(4, int(width / 4 + 0.5) * 4)
    return near + 4 if near < 0.9 * width else near


def costs(alpha: float) -> tuple[int, int]:
    """Parameters and multiply-adds at 224×224, summed over the paper's table 1."""
    convs, others = [(27 * fours(16 * alpha), 112)], 2 * fours(16 * alpha)  # (weights, side)
    before, side = fours(16 * alpha), 112

    def ghost(seen: int, made: int) -> int:
        convs.extend([(seen * (made // 2), side), (9 * (made // 2), side)])
        return 2 * made

    for kernel, within, channels, excite, stride in ROWS:
        within, channels = fours(within * alpha), fours(channels * alpha)
        others += ghost(before, within)
        side //= stride
        if stride == 2:
            convs.append((kernel**2 * within, side))
            others += 2 * within
        if excite:
            convs.append((2 * within * fours(within / 4), 1))
            others += within + fours(within / 4)
        others += ghost(within, channels)
        if stride == 2 or before != channels:
            convs.extend([(kernel**2 * before, side), (before * channels, side)])
            others += 2 * before + 2 * channels
        before = channels
    last = fours(960 * alpha)
    convs.extend([(before * last, 7), (last * 1280, 1), (1280 * 1000, 1)])
    others += 2 * last + 1280 + 1000
    return sum(w for w, _ in convs) + others, sum(w * side**2 for w, side in convs)


@pytest.mark.parametrize("size", SIZES)
def test_sizes_are_the_published_ones(size):
    alpha, parameters, products = SIZES[size]
    figures = catalog()[f"ghostnet_{size}"].figures
    assert (figures["parameters"], figures["multiply_adds"]) == costs(alpha)
    assert figures["parameters"] / 1e6 == pytest.approx(parameters, abs=0.1)
    assert figures["multiply_adds"] / 1e6 == pytest.approx(products, rel=0.01)


def plain(net: GhostNet, x: torch.Tensor, stages, large: bool) -> torch.Tensor:
    """The paper's figures 2 and 3 and table 1 from the weights alone, in evaluation mode."""
    weights = iter(net.state_dict().values())

    def conv(x, **words):
        x = F.conv2d(x, next(weights), **words)
        gain, shift, mean, variance, _ = (next(weights) for _ in range(5))
        gain, shift, mean, variance = (v[:, None, None] for v in (gain, shift, mean, variance))
        return gain * (x - mean) / (variance + 1e-5).sqrt() + shift

    def ghost(x, channels, floor):
        own = conv(x).clamp(min=floor)
        cheap = conv(own, padding=1, groups=own.shape[1]).clamp(min=floor)
        return torch.cat((own, cheap), 1)[:, :channels]

    x = conv(x, stride=2 if large else 1, padding=1).clamp(min=0)
    for stage, rows in enumerate(stages):
        for place, (kernel, within, channels, excite) in enumerate(rows):
            stride = 2 if place == 0 and stage > (0 if large else 1) else 1
            size = {"stride": stride, "padding": kernel // 2}
            y = ghost(x, within, 0)
            if stride == 2:
                y = conv(y, groups=within, **size)
            if excite:
                means = y.mean((2, 3))
                one, two = ((next(weights).flatten(1), next(weights)) for _ in range(2))
                scores = (means @ one[0].T + one[1]).clamp(min=0) @ two[0].T + two[1]
                y = y * (scores / 6 + 0.5).clamp(0, 1)[:, :, None, None]
            y = ghost(y, channels, -torch.inf)
            around = x
            if stride == 2 or x.shape[1] != channels:
                around = conv(conv(x, groups=x.shape[1], **size))
            x = y + around
    x = conv(x).clamp(min=0).mean((2, 3))
    x = (x @ next(weights).flatten(1).T + next(weights)).clamp(min=0)
    return x @ next(weights).T + next(weights)


@pytest.mark.parametrize("size", [(13, 16), (65, 68)])
def test_it_is_the_paper_s_network(size):
    numbers = torch.Generator().manual_seed(0)
    stages = (
        ((3, 12, 8, False),),
        ((5, 12, 12, True), (3, 16, 12, False)),
        ((3, 24, 16, False), (5, 16, 16, True), (3, 16, 20, False)),
    )
    net = GhostNet(5, 2, size, table=stages, stem_width=8, features=14).double().eval()
    for name, value in net.named_buffers():  # as after training
        if value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=numbers) + (0.5 if "var" in name else -0.5))
    for name, value in net.named_parameters():
        if "excite" in name:  # some gates are to be at their ends
            torch.nn.init.normal_(value, std=2.0, generator=numbers)
    x = torch.randn(2, 2, *size, generator=numbers, dtype=torch.double)
    torch.testing.assert_close(net(x), plain(net, x, stages, size[0] > 64), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("channels", "ratio"), [(8, 2), (7, 2), (10, 3), (9, 4)])
def test_a_ghost_module_s_maps_are_its_own_and_ghosts_of_them(channels, ratio):
    module = GhostModule(3, channels, ratio=ratio, activation=None).double().eval()
    x = torch.randn(2, 3, 5, 6, dtype=torch.double)
    made, own = module(x), -(-channels // ratio)
    first = torch.einsum("oc,bchw->bohw", module.primary[0].weight[..., 0, 0], x) / (1 + 1e-5) ** 0.5
    torch.testing.assert_close(made[:, :own], first)
    assert made.shape == (2, channels, 5, 6)
    for ghost in range(channels - own):  # each of ratio - 1 in a row is of one map
        kernel = module.cheap[0].weight[ghost : ghost + 1]
        of = first[:, ghost // (ratio - 1)][:, None]
        torch.testing.assert_close(
            made[:, own + ghost], F.conv2d(of, kernel, padding=1)[:, 0] / (1 + 1e-5) ** 0.5
        )


@pytest.mark.parametrize(("channels", "between"), [(72, 20), (120, 32), (480, 120), (8, 4), (36, 12)])
def test_a_quarter_of_the_channels_lies_between(channels, between):
    block = GhostBottleneck(8, channels, 8, 3, 1, True)
    assert block.body[2].excite[0].out_channels == between
