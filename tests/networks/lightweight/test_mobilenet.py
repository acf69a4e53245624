import pytest
import torch

from torchatlas.cards.reader import catalog
from torchatlas.networks.lightweight import MobileNet

from .inverted import Costs, Plain, eights, relu, relu6, shaken

ROWS = (  # the paper's table 1: channels, stride
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1)),
)


# The paper's tables 4 and 6, in millions.
@pytest.mark.parametrize(
    ("size", "parameters", "products"), [(100, 4.2, 569), (75, 2.6, 325), (50, 1.3, 149), (25, 0.5, 41)]
)
def test_sizes_are_the_published_ones(size, parameters, products):
    sums, alpha = Costs(224), size / 100
    sums.conv(eights(32 * alpha), 3, 2)
    for channels, stride in ROWS:
        sums.conv(sums.channels, 3, stride, sums.channels)
        sums.conv(eights(channels * alpha))
    sums.linear(1000)
    figures = catalog()[f"mobilenetv1_{size:03}"].figures
    assert (figures["parameters"], figures["multiply_adds"]) == (sums.parameters, sums.products)
    assert figures["parameters"] / 1e6 == pytest.approx(parameters, abs=0.05)
    assert figures["multiply_adds"] / 1e6 == pytest.approx(products, abs=0.6)


@pytest.mark.parametrize("activation", ["relu", "relu6"])
@pytest.mark.parametrize("size", [(13, 16), (65, 70)])
def test_it_is_the_paper_s_network(size, activation):
    table, small = ((8, 1), (12, 2), (16, 1), (24, 2)), size[0] <= 64
    net = shaken(MobileNet(5, 2, size, 0.5, table, 24, activation))
    active = {"relu": relu, "relu6": relu6}[activation]
    layers = Plain(net, 1e-5)
    x = images = 5 * torch.randn(2, 2, *size, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    x = active(layers.conv(x, 1 if small else 2))
    assert x.shape[1] == eights(24 / 2)
    for stage, (channels, blocks) in enumerate(table):
        for block in range(blocks):
            stride = 2 if block == 0 and stage > small else 1
            x = active(layers.conv(active(layers.conv(x, stride, x.shape[1]))))
            assert x.shape[1] == eights(channels / 2)
    torch.testing.assert_close(net(images), layers.linear(x.mean((2, 3))), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("size", "sides"), [(224, (112, 56, 28, 14, 7)), (32, (32, 32, 16, 8, 4))])
def test_sides_of_the_maps(size, sides):
    with torch.device("meta"):
        maps = MobileNet(input_size=(size, size)).feature_maps(torch.empty(2, 3, size, size))
    assert tuple(each.shape[-1] for each in maps) == sides
