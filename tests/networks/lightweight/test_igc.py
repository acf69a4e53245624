import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.networks.lightweight.igc import (
    IGCV1,
    IGCV2,
    InterleavedConv2d,
    SparseConv2d,
    sparse_pointwise,
)
from windows import conv, drawn, equal

COUNTS = {
    "igcv1": 8_637_900,
    "igcv1_l24m2_20": 164_410,
    "igcv1_l24m2_38": 325_690,
    "igcv1_l24m2_62": 540_730,
    "igcv2": 137_162,
}


@pytest.mark.parametrize("name", COUNTS)
def test_sizes_are_the_published_ones(name):
    with torch.device("meta"):
        net = create(name)
    assert sum(p.numel() for p in net.parameters()) == COUNTS[name]
    assert net.head.out_features == (1000 if name == "igcv1" else 10)


def convs(layer: nn.Module) -> list[torch.Tensor]:
    return [m.weight for m in layer.modules() if isinstance(m, nn.Conv2d)]


@pytest.mark.parametrize(
    ("inside", "out", "stride", "primary", "secondary"), [(6, 6, 1, 3, 2), (6, 12, 2, 3, 2)]
)
def test_groups_interleave(inside, out, stride, primary, secondary):
    layer, x = InterleavedConv2d(inside, out, stride, primary, secondary).double(), drawn(2, inside, 4, 5)
    first, second = convs(layer)
    made = conv(x, first, None, stride, 1, groups=primary)
    each, size = out // primary, out // secondary
    expected = np.zeros_like(made)
    for group in range(secondary):  # it holds these members of every primary group
        places = range(group * each // secondary, (group + 1) * each // secondary)
        mine = [k * each + m for m in places for k in range(primary)]
        for j in range(size):
            kernel = second[group * size + j].flatten().tolist()
            expected[:, j * secondary + group] = sum(
                w * made[:, c] for w, c in zip(kernel, mine, strict=True)
            )
    equal(layer(x), expected)


@pytest.mark.parametrize(("primary", "each"), [(2, 3), (4, 2), (5, 5), (1, 4), (4, 1)])
def test_every_output_sees_every_input(primary, each):
    width = primary * each
    layer = InterleavedConv2d(width, width, 1, primary, each)
    assert sum(w.numel() for w in convs(layer)) == width**2 * 9 // primary + width**2 // each
    for weight in convs(layer):
        nn.init.ones_(weight)
    seen = torch.autograd.functional.jacobian(lambda x: layer(x)[0, :, 1, 1], torch.zeros(1, width, 3, 3))
    assert seen.all()


@pytest.mark.parametrize(
    ("width", "layers", "paths"),
    [(64, 2, {1}), (512, 3, {1}), (128, 3, {4}), (256, 3, {2}), (416, 3, {1, 2})],
)
def test_sparse_layers_are_dense_together(width, layers, paths):
    made = nn.Sequential(*sparse_pointwise(width, 8))
    for weight in convs(made):
        nn.init.ones_(weight)
    product = made(torch.eye(width)[..., None, None]).flatten(1)
    assert len(convs(made)) == layers and set(product.unique().tolist()) == paths


def test_a_sparse_convolution_is_the_product_of_its_layers():
    layer, x = SparseConv2d(4, 8, 2, 2).double(), drawn(2, 4, 5, 4)
    depthwise, *pointwise = convs(layer)
    y = conv(x, depthwise, None, 2, 1, groups=4)
    assert len(pointwise) == 3
    for weight in pointwise:
        turned = np.stack([y[:, k] for j in range(2) for k in range(j, 8, 2)], 1)
        y = conv(torch.as_tensor(turned), weight, groups=4)
    equal(layer(x), y)


def plain(net: IGCV1 | IGCV2, x: torch.Tensor, table: list[list[list[tuple[int, int, int]]]]) -> torch.Tensor:
    """From the weights alone; of each convolution: groups, those of the shuffle before it, stride."""
    weights = iter(net.state_dict().values())

    def norm(x):
        gain, shift, mean, variance, _ = (next(weights) for _ in range(5))
        gain, shift, mean, variance = (v[:, None, None] for v in (gain, shift, mean, variance))
        return gain * (x - mean) / (variance + 1e-5).sqrt() + shift

    def convolved(x, layers):
        for groups, before, stride in layers:
            if before:
                order = [
                    j * (x.shape[1] // before) + k for k in range(x.shape[1] // before) for j in range(before)
                ]
                x = x[:, order]
            if groups:
                w = next(weights)
                x = F.conv2d(x, w, None, stride, w.shape[2] // 2, 1, groups)
        return norm(x)

    x = convolved(x, [(1, 0, 1)]).relu()
    for first, second, around in table:
        y = convolved(convolved(x, first).relu(), second)
        x = (y + (convolved(x, around) if around else x)).relu()
    return x.mean((2, 3)) @ next(weights).T + next(weights)


def trained(net: nn.Module) -> nn.Module:
    """As after training: statistics and scales are no longer those of the start."""
    numbers = torch.Generator().manual_seed(0)
    for name, value in net.double().eval().state_dict().items():
        if value.ndim == 1 and value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=numbers) + (0.5 if "var" in name else -0.5))
    return net


def test_igcv1_is_the_layout_of_its_table():
    table = ((2, 8, 4, 2), (1, 16, 4, 2))
    net = trained(IGCV1(3, 2, (9, 7), 8, table))
    same = [(4, 0, 1), (2, 4, 1), (0, 2, 1)]  # 3×3 in 4, turned by 4, 1×1 in 2, turned back by 2
    halved, wide = [(4, 0, 2), (2, 4, 1), (0, 2, 1)], [(4, 0, 1), (4, 4, 1), (0, 4, 1)]
    x = drawn(2, 2, 9, 7)
    blocks = [[same, same, []], [same, same, []], [halved, wide, [(4, 0, 2)]]]
    torch.testing.assert_close(net(x), plain(net, x, blocks), rtol=1e-9, atol=1e-9)


def test_igcv2_is_a_residual_network_of_three_stages():
    net, x = trained(IGCV2(3, 2, (9, 7), 8, 4, 2)), drawn(2, 2, 9, 7)
    blocks = []
    for width in (4, 8, 16):
        stride = 1 if width == 4 else 2
        mixes = [(width // 2, width // 2, 1)] * (width.bit_length() - 1)
        around = [(1, 0, 2)] if stride == 2 else []
        blocks.append([[(width // stride, 0, stride), *mixes], [(width, 0, 1), *mixes], around])
    torch.testing.assert_close(net(x), plain(net, x, blocks), rtol=1e-9, atol=1e-9)


def test_large_images_are_halved_twice_first():
    maps = IGCV1(3, 1, (96, 96), 4, ((1, 4, 2, 2), (1, 8, 4, 2))).feature_maps(torch.zeros(2, 1, 96, 96))
    assert [m.shape[2] for m in maps] == [24, 12]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (IGCV1, {"width": 6, "table": ((1, 8, 4, 2),)}),
        (IGCV2, {"depth": 21}),
        (IGCV2, {"size": 7}),
        (IGCV2, {"size": 1}),
    ],
)
def test_what_does_not_fit_is_refused(kind, words):
    with pytest.raises(UsageError, match=r"groups|6n \+ 2"):
        kind(**words)
