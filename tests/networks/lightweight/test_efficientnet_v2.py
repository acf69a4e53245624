import pytest
import torch

from torchatlas.cards.reader import catalog
from torchatlas.networks.lightweight import EfficientNetV2

from .inverted import Line, Plain, costs, shaken, swish

# Of the paper's table 4 and its authors' tables of the larger ones: kind and expansion, channels × blocks,
# stride. F is a fused block, M one with a depthwise convolution and squeeze and excitation.
SIZES = {
    "s": "24: F1 24x2 1, F4 48x4 2, F4 64x4 2, M4 128x6 2, M6 160x9 1, M6 256x15 2",
    "m": "24: F1 24x3 1, F4 48x5 2, F4 80x5 2, M4 160x7 2, M6 176x14 1, M6 304x18 2, M6 512x5 1",
    "l": "32: F1 32x4 1, F4 64x7 2, F4 96x7 2, M4 192x10 2, M6 224x19 1, M6 384x25 2, M6 640x7 1",
    "tiny": "16: F1 16x2 1, F2 24x2 2, F3 24x1 1, M2 24x2 2, M3 32x1 1",
}


def read(text: str) -> tuple[int, list[Line]]:
    stem, _, rows = text.partition(":")
    before, made = int(stem), []
    for kind, blocks, stride in (row.split() for row in rows.split(",")):
        channels, count = map(int, blocks.split("x"))
        for block in range(count):
            fused = kind[0] == "F"
            gate = (0 if fused else before // 4, swish, 1 if block else int(stride))
            made.append(Line(3, int(kind[1]) * before, channels, *gate, fused))
            before = channels
    return int(stem), made


# The paper's table 7: millions of parameters, billions of multiply-adds, not quite the sum over the layers.
@pytest.mark.parametrize(
    ("size", "side", "parameters", "products"), [("s", 384, 22, 8.8), ("m", 480, 54, 24), ("l", 480, 120, 53)]
)
def test_sizes_are_the_published_ones(size, side, parameters, products):
    figures = catalog()[f"efficientnetv2_{size}"].figures
    assert (figures["parameters"], figures["multiply_adds"]) == costs(*read(SIZES[size]), 1280, side=side)
    assert figures["parameters"] / 1e6 == pytest.approx(parameters, rel=0.03)
    assert figures["multiply_adds"] / 1e9 == pytest.approx(products, rel=0.06)


@pytest.mark.parametrize("size", [(13, 16), (65, 70)])
def test_it_is_the_paper_s_network(size):
    table = (
        *((True, 1, 16, 2, 1), (True, 2, 24, 2, 2), (True, 3, 24, 1, 1)),
        *((False, 2, 24, 2, 2), (False, 3, 32, 1, 1)),
    )
    net = shaken(EfficientNetV2(5, 2, size, 1.0, table, 16, 32))
    x = 3 * torch.randn(2, 2, *size, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    layers = Plain(net, 1e-3)
    y = layers.network(x, read(SIZES["tiny"])[1], swish, swish, torch.sigmoid, size[0] <= 64)
    y = layers.linear(swish(layers.conv(y)).mean((2, 3)))
    torch.testing.assert_close(net(x), y, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("size", "sides"), [(224, (112, 56, 28, 14, 14, 7)), (32, (32, 32, 16, 8, 8, 4))])
def test_sides_of_the_maps(size, sides):
    with torch.device("meta"):
        maps = EfficientNetV2(input_size=(size, size)).feature_maps(torch.empty(2, 3, size, size))
    assert tuple(each.shape[-1] for each in maps) == sides
