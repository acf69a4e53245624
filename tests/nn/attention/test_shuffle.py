import math

import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from windows import drawn, equal, numbers

from .plain import shaken, sigmoid


def test_halves_of_groups_and_the_shuffle():
    x, layer = drawn(2, 12, 3, 4), shaken("shuffle_attention", channels=12, groups=2)
    a, y = numbers(x), np.zeros((2, 12, 3, 4))
    names = ("channel", "norm", "position")
    w, b = ({n: numbers(getattr(layer, f"{n}_{what}")).ravel() for n in names} for what in ("weight", "bias"))
    for n, g, k in np.ndindex(2, 2, 3):
        first, second = a[n, 6 * g + k], a[n, 6 * g + 3 + k]
        y[n, 6 * g + k] = first * sigmoid(w["channel"][k] * first.mean() + b["channel"][k])
        even = (second - second.mean()) / np.sqrt(second.var() + 1e-5) * w["norm"][k] + b["norm"][k]
        y[n, 6 * g + 3 + k] = second * sigmoid(w["position"][k] * even + b["position"][k])
    order = [c // 2 + 6 * (c % 2) for c in range(12)]  # 0, 6, 1, 7, …
    equal(layer(x), y[:, order])


def test_it_starts_as_a_shuffle_of_equal_weights():
    layer, x = create("shuffle_attention", channels=128).double(), drawn(1, 128, 2, 2)
    assert sum(p.numel() for p in layer.parameters()) == 3 * 128 // 64
    equal(layer(x)[:, :4], x[:, [0, 64, 1, 65]] / (1 + math.exp(-1)))
    equal(torch.sort(layer(x).flatten()).values, torch.sort(x.flatten()).values / (1 + math.exp(-1)))


def test_groups_must_divide():
    with pytest.raises(UsageError, match="half groups"):
        create("shuffle_attention", channels=6, groups=2)
