import pytest
import torch

from torchatlas.cards.reader import catalog
from torchatlas.engine.errors import UsageError
from torchatlas.networks.lightweight import MobileNetV3

from .inverted import Line, Plain, costs, eights, hard_sigmoid, hard_swish, relu, shaken

# The paper's tables 1 and 2, line by line: kernel, within, out, squeeze and excitation, activation, stride.
LARGE = """
3 16 16 - RE 1 | 3 64 24 - RE 2 | 3 72 24 - RE 1 | 5 72 40 SE RE 2 | 5 120 40 SE RE 1 | 5 120 40 SE RE 1
3 240 80 - HS 2 | 3 200 80 - HS 1 | 3 184 80 - HS 1 | 3 184 80 - HS 1 | 3 480 112 SE HS 1
3 672 112 SE HS 1 | 5 672 160 SE HS 2 | 5 960 160 SE HS 1 | 5 960 160 SE HS 1
"""
SMALL = """
3 16 16 SE RE 2 | 3 72 24 - RE 2 | 3 88 24 - RE 1 | 5 96 40 SE HS 2 | 5 240 40 SE HS 1 | 5 240 40 SE HS 1
5 120 48 SE HS 1 | 5 144 48 SE HS 1 | 5 288 96 SE HS 2 | 5 576 96 SE HS 1 | 5 576 96 SE HS 1
"""
TINY = (
    *((3, 8, 8, True, False, 1), (3, 24, 16, False, False, 2), (5, 40, 16, True, False, 1)),
    *((5, 72, 24, True, True, 2), (3, 24, 24, False, True, 1)),
)


def lines(table) -> list[Line]:
    return [
        Line(
            kernel, within, channels, eights(within / 4) if gate else 0, hard_swish if hard else relu, stride
        )
        for kernel, within, channels, gate, hard, stride in table
    ]


def printed(table: str) -> list[Line]:
    cells = [line.split() for line in table.strip().replace("\n", "|").split("|")]
    return lines((int(k), int(w), int(c), se == "SE", a == "HS", int(s)) for k, w, c, se, a, s in cells)


# The paper's table 3, in millions.
@pytest.mark.parametrize(
    ("size", "table", "last", "hidden", "parameters", "products"),
    [("large", LARGE, 960, 1280, 5.4, 219), ("small", SMALL, 576, 1024, 2.5, 56)],
)
def test_sizes_are_the_published_ones(size, table, last, hidden, parameters, products):
    figures = catalog()[f"mobilenetv3_{size}_100"].figures
    assert (figures["parameters"], figures["multiply_adds"]) == costs(16, printed(table), last, hidden)
    assert figures["parameters"] / 1e6 == pytest.approx(parameters, abs=0.1)
    assert figures["multiply_adds"] / 1e6 == pytest.approx(products, rel=0.015)


@pytest.mark.parametrize("size", [(13, 16), (65, 70)])
def test_it_is_the_paper_s_network(size):
    net = shaken(MobileNetV3(5, 2, size, table=TINY, stem_width=8, features=14))
    x = 9 * torch.randn(2, 2, *size, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    layers = Plain(net, 1e-3)
    y = layers.network(x, lines(TINY), hard_swish, relu, hard_sigmoid, size[0] <= 64)
    y = hard_swish(layers.linear(hard_swish(layers.conv(y)).mean((2, 3))))
    torch.testing.assert_close(net(x), layers.linear(y), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("table", "size", "sides"),
    [
        ("large", 224, (112, 56, 28, 14, 14, 7)),
        ("large", 32, (32, 32, 16, 8, 8, 4)),
        ("small", 224, (56, 28, 14, 14, 7)),
        ("small", 32, (32, 16, 8, 8, 4)),
    ],
)
def test_sides_of_the_maps(table, size, sides):
    with torch.device("meta"):
        net = MobileNetV3(input_size=(size, size), table=table)
        maps = net.feature_maps(torch.empty(2, 3, size, size))
    assert tuple(each.shape[-1] for each in maps) == sides


def test_a_quarter_of_the_inner_channels_lies_between():
    with torch.device("meta"):
        gates = [each for name, each in MobileNetV3().named_modules() if name.endswith("gate.excite.0")]
    assert [gate.out_channels for gate in gates] == [24, 32, 32, 120, 168, 168, 240, 240]


def test_stages_stay_apart_when_they_are_as_narrow_as_each_other():
    with torch.device("meta"):
        assert len(MobileNetV3(width=0.25).stages) == len(MobileNetV3().stages) == 6


def test_another_table_is_refused():
    with pytest.raises(UsageError, match="large, small"):
        MobileNetV3(table="medium")
