import numpy as np
import pytest

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.nn.attention.efficient_channel import span
from windows import drawn, equal, numbers

from .plain import shaken, sigmoid


@pytest.mark.parametrize(
    ("channels", "k"), [(1, 1), (64, 3), (128, 5), (256, 5), (512, 5), (1024, 5), (2048, 7)]
)
def test_how_many_neighbours(channels, k):
    assert span(channels) == k
    assert sum(p.numel() for p in create("eca", channels=channels).parameters()) == k


@pytest.mark.parametrize("k", [1, 3, 5])
def test_a_channel_looks_at_its_neighbours(k):
    x = drawn(2, 6, 3, 5)
    layer = shaken("eca", channels=6, kernel_size=k)
    a, w = numbers(x), numbers(layer.conv.weight)[0, 0]
    scores = np.zeros((2, 6))
    for c in range(6):
        for t in range(k):
            if 0 <= (at := c + t - k // 2) < 6:
                scores[:, c] += w[t] * a[:, at].mean((1, 2))
    equal(layer(x), a * sigmoid(scores)[..., None, None])


def test_an_even_kernel_has_no_middle():
    with pytest.raises(UsageError, match="odd"):
        create("eca", channels=6, kernel_size=4)
