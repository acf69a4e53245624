import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from windows import conv, drawn, equal

X = drawn(2, 4, 6, 7)
CROSS = {
    "cross_cdc": ((0, 1), (1, 0), (1, 1), (1, 2), (2, 1)),
    "cross_cdc_dg": ((0, 0), (0, 2), (1, 1), (2, 0), (2, 2)),
}
ROUND = [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0)]  # clockwise from the corner
RING = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (2, 2)]  # row by row


@pytest.mark.parametrize("name", ["cdc"])
@pytest.mark.parametrize("theta", [0.0, 0.7, 1.0])
def test_central_differences(name, theta):
    layer = create(name, 4, 6, kernel_size=(3, 5), padding=(1, 2), groups=2, stride=2, theta=theta).double()

    def combine(window: np.ndarray, kernel: np.ndarray) -> float:
        middle = window[:, window.shape[1] // 2, window.shape[2] // 2][:, None, None]
        return float((kernel * (theta * (window - middle) + (1 - theta) * window)).sum())

    equal(layer(X), conv(X, layer.weight, layer.bias, 2, (1, 2), 1, 2, combine))


@pytest.mark.parametrize("name", ["cross_cdc", "cross_cdc_dg"])
def test_central_differences_on_a_cross(name):
    layer = create(name, 4, 5, padding=1, theta=0.7).double()
    weight = torch.zeros(5, 4, 3, 3, dtype=torch.double)
    for k, (i, j) in enumerate(CROSS[name]):
        weight[:, :, i, j] = layer.weight[:, :, k]

    def combine(window: np.ndarray, kernel: np.ndarray) -> float:
        total = 0.0
        for c, w in enumerate(window):
            for i, j in CROSS[name]:
                total += kernel[c, i, j] * (0.7 * (w[i, j] - w[1, 1]) + 0.3 * w[i, j])
        return total

    equal(layer(X), conv(X, weight, layer.bias, 1, 1, combine=combine))
    assert layer.weight.numel() == 5 * 4 * 5


def pixel_difference(form: str, w: np.ndarray, weights: np.ndarray) -> float:
    """Eight differences of one channel's window, 3×3 or 5×5; the weights stand row by row."""
    by_place = dict(zip(RING, weights, strict=True))
    total = 0.0
    for k, (i, j) in enumerate(ROUND):
        if form == "cpdc":
            difference = w[i, j] - w[1, 1]
        elif form == "apdc":
            difference = w[i, j] - w[ROUND[(k + 1) % 8]]
        else:
            difference = w[2 * i, 2 * j] - w[i + 1, j + 1]
        total += by_place[i, j] * difference
    return total


@pytest.mark.parametrize("name", ["cpdc", "apdc", "rpdc"])
def test_pixel_differences(name):
    edge = 2 if name == "rpdc" else 1
    layer = create(name, 4, 4, padding=edge, groups=2, bias=True).double()
    spread = torch.zeros(
        4, 2, 2 * edge + 1, 2 * edge + 1, dtype=torch.double
    )  # carries the weights to the loop
    spread.flatten(2)[:, :, :8] = layer.weight

    def combine(window: np.ndarray, kernel: np.ndarray) -> float:
        return sum(pixel_difference(name, w, k.flat[:8]) for w, k in zip(window, kernel, strict=True))

    equal(layer(X), conv(X, spread, layer.bias, 1, edge, 1, 2, combine))


@pytest.mark.parametrize("name", ["cdc", "cross_cdc", "cross_cdc_dg", "pdc", "cpdc", "apdc", "rpdc"])
def test_constant_maps_become_zero_inside(name):
    words = {"theta": 1.0} if "cdc" in name else {}
    layer = create(name, 3, 5, bias=False, **words).double()
    flat = torch.tensor([2.0, -1.0, 5.0], dtype=torch.double)[:, None, None].expand(1, 3, 8, 8)
    equal(layer(flat), torch.zeros_like(layer(flat)))


@pytest.mark.parametrize("name", ["cdc", "cross_cdc", "pdc", "rpdc"])
def test_merged_it_is_a_plain_convolution(name):
    layer = create(name, 4, 4, stride=2, padding=2, groups=2).double()
    plain = layer.merged()
    assert type(plain) is torch.nn.Conv2d
    equal(plain(X), layer(X))


def test_wrong_words():
    for name, words in (
        ("cdc", {"kernel_size": 4}),
        ("cdc", {"theta": 1.5}),
        ("cross_cdc", {"cross": "plus"}),
        ("cross_cdc", {"kernel_size": 5}),
        ("pdc", {"form": "square"}),
        ("pdc", {"kernel_size": 5}),
    ):
        with pytest.raises(UsageError):
            create(name, 4, 4, **words)
