import pytest
import torch

from torchatlas.cards.reader import catalog
from torchatlas.networks.lightweight import MobileNetV2

from .inverted import Line, Plain, costs, eights, relu6, shaken

ROWS = (  # the paper's table 2: expansion, channels, blocks, stride
    *((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)),
    *((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)),
)


def lines(before: int, rows, width: float = 1.0) -> list[Line]:
    made = []
    for expansion, channels, blocks, stride in rows:
        for block in range(blocks):
            line = (3, expansion * before, eights(channels * width), 0, relu6, 1 if block else stride)
            made.append(Line(*line))
            before = made[-1].channels
    return made


# The paper's table 4, in millions; its 3.4 and 6.9 million parameters are not those of its table 2.
@pytest.mark.parametrize(("size", "parameters", "products"), [(100, 3.5, 300), (140, 6.1, 585)])
def test_sizes_are_the_published_ones(size, parameters, products):
    alpha, figures = size / 100, catalog()[f"mobilenetv2_{size}"].figures
    stem, last = eights(32 * alpha), eights(1280 * alpha)
    counted = costs(stem, lines(stem, ROWS, alpha), last)
    assert (figures["parameters"], figures["multiply_adds"]) == counted
    assert figures["parameters"] / 1e6 == pytest.approx(parameters, abs=0.05)
    assert figures["multiply_adds"] / 1e6 == pytest.approx(products, rel=0.01)


@pytest.mark.parametrize("size", [(13, 16), (65, 70)])
def test_it_is_the_paper_s_network(size):
    rows = ((1, 16, 2, 1), (2, 24, 2, 2), (3, 24, 1, 1), (2, 32, 1, 2))
    net = shaken(MobileNetV2(5, 2, size, 1.0, rows, 16, 32))
    x = 9 * torch.randn(2, 2, *size, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    layers = Plain(net, 1e-5)
    y = layers.network(x, lines(16, rows), relu6, relu6, relu6, size[0] <= 64)
    y = layers.linear(relu6(layers.conv(y)).mean((2, 3)))
    torch.testing.assert_close(net(x), y, rtol=1e-9, atol=1e-9)


def test_the_last_layer_is_not_narrowed():
    with torch.device("meta"):
        assert [MobileNetV2(width=width).features for width in (0.35, 1.0, 1.4)] == [1280, 1280, 1792]


@pytest.mark.parametrize(
    ("size", "sides"), [(224, (112, 56, 28, 14, 14, 7, 7)), (32, (32, 32, 16, 8, 8, 4, 4))]
)
def test_sides_of_the_maps(size, sides):
    with torch.device("meta"):
        maps = MobileNetV2(input_size=(size, size)).feature_maps(torch.empty(2, 3, size, size))
    assert tuple(each.shape[-1] for each in maps) == sides
