import math

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from windows import between, drawn, equal, numbers


@pytest.mark.parametrize("side", [3, 5])
def test_taps_are_read_on_circles(side):
    x = drawn(1, 2, 7, 6)
    layer = create("circle_conv", 2, 3, kernel_size=side, padding=side // 2).double()
    a, w, y = (
        numbers(x),
        numbers(layer.weight),
        numbers(layer.bias)[:, None, None].repeat(7, 1).repeat(6, 2).copy(),
    )
    for o in range(3):
        for row in range(7):
            for column in range(6):
                for c in range(2):
                    for i in range(-(side // 2), side // 2 + 1):
                        for j in range(-(side // 2), side // 2 + 1):
                            radius, angle = max(abs(i), abs(j)), math.atan2(i, j)
                            at = (row + radius * math.sin(angle), column + radius * math.cos(angle))
                            y[o, row, column] += w[o, c, i + side // 2, j + side // 2] * between(a[0, c], *at)
    equal(layer(x)[0], y, 1e-6)  # the shares of pixels are kept in single precision


def test_corners_go_to_the_diagonal_of_the_unit_circle():
    layer = create("circle_conv", 1, 1, bias=False)
    torch.nn.init.zeros_(layer.weight)
    with torch.no_grad():
        layer.weight[0, 0, 0, 0] = 1
    half = math.sqrt(0.5)
    assert layer.kernel()[0, 0, :2, :2].detach().flatten().tolist() == pytest.approx(
        [half * half, half * (1 - half), (1 - half) * half, (1 - half) ** 2], abs=1e-6
    )


def test_merged_and_wrong_words():
    x, layer = drawn(2, 4, 6, 6), create("circle_conv", 4, 6, padding=2, dilation=2, groups=2).double()
    equal(layer.merged()(x), layer(x))
    with pytest.raises(UsageError, match="odd"):
        create("circle_conv", 4, 4, kernel_size=4)
