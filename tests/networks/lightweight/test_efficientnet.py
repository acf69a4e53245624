import math

import pytest
import torch

from torchatlas.cards.reader import catalog, create
from torchatlas.networks.lightweight import EfficientNet

from .inverted import Line, Plain, costs, eights, shaken, swish

ROWS = (  # the paper's table 1: expansion, channels, blocks, stride, kernel
    *((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3)),
    *((6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)),
)


def lines(before: int, rows, width: float = 1.0, depth: float = 1.0) -> list[Line]:
    made = []
    for expansion, channels, blocks, stride, kernel in rows:
        for block in range(math.ceil(blocks * depth)):
            gate = (before // 4, swish, 1 if block else stride)
            made.append(Line(kernel, expansion * before, eights(channels * width), *gate))
            before = made[-1].channels
    return made


# The paper's table 2: millions of parameters; billions of multiply-adds, which for b4, b5 and b7 are below
# the sum over the layers.
@pytest.mark.parametrize(
    ("size", "width", "depth", "side", "parameters", "products"),
    [
        (0, 1.0, 1.0, 224, 5.3, 0.39),
        (1, 1.0, 1.1, 240, 7.8, 0.70),
        (2, 1.1, 1.2, 260, 9.2, 1.0),
        (3, 1.2, 1.4, 300, 12, 1.8),
        (4, 1.4, 1.8, 380, 19, 4.2),
        (5, 1.6, 2.2, 456, 30, 9.9),
        (6, 1.8, 2.6, 528, 43, 19),
        (7, 2.0, 3.1, 600, 66, 37),
    ],
)
def test_sizes_are_the_published_ones(size, width, depth, side, parameters, products):
    figures = catalog()[f"efficientnet_b{size}"].figures
    stem = eights(32 * width)
    counted = costs(stem, lines(stem, ROWS, width, depth), eights(1280 * width), side=side)
    assert (figures["parameters"], figures["multiply_adds"]) == counted
    assert figures["parameters"] / 1e6 == pytest.approx(parameters, rel=0.02)
    assert figures["multiply_adds"] / 1e9 == pytest.approx(products, rel=0.05)


@pytest.mark.parametrize("size", [(13, 16), (65, 70)])
def test_it_is_the_paper_s_network(size):
    rows = ((1, 16, 2, 1, 3), (2, 24, 2, 2, 5), (3, 24, 1, 1, 3), (2, 32, 1, 2, 5))
    net = shaken(EfficientNet(5, 2, size, 1.0, 1.0, rows, 16, 32))
    x = 3 * torch.randn(2, 2, *size, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    layers = Plain(net, 1e-3)
    y = layers.network(x, lines(16, rows), swish, swish, torch.sigmoid, size[0] <= 64)
    y = layers.linear(swish(layers.conv(y)).mean((2, 3)))
    torch.testing.assert_close(net(x), y, rtol=1e-9, atol=1e-9)


def test_width_and_depth_are_rounded_up_and_down():
    with torch.device("meta"):
        net = create("efficientnet_b2")
    assert [len(stage) for stage in net.stages] == [2, 3, 3, 4, 4, 5, 2]
    assert [stage[-1].body.project[1].num_features for stage in net.stages] == [16, 24, 48, 88, 120, 208, 352]
    assert net.features == 1408


def test_later_blocks_are_left_out_more_often():
    net = EfficientNet(3, 1, (8, 8), table=((1, 8, 2, 1, 3), (2, 8, 2, 2, 3)), stem_width=8, drop_path=0.4)
    rates = [getattr(block.body, "drop", None) for stage in net.stages for block in stage]
    assert [rate.p for rate in rates] == pytest.approx([0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize(
    ("size", "sides"), [(224, (112, 56, 28, 14, 14, 7, 7)), (32, (32, 32, 16, 8, 8, 4, 4))]
)
def test_sides_of_the_maps(size, sides):
    with torch.device("meta"):
        maps = EfficientNet(input_size=(size, size)).feature_maps(torch.empty(2, 3, size, size))
    assert tuple(each.shape[-1] for each in maps) == sides
