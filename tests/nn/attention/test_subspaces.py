import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from windows import drawn, equal, numbers

from .plain import shaken, softmax


def test_each_subspace_has_its_attention():
    x, layer = drawn(2, 6, 4, 5), shaken("ulsam", channels=6, groups=2)
    a, y = numbers(x), np.zeros((2, 6, 4, 5))
    scale, shift = numbers(layer.depthwise.weight).ravel(), numbers(layer.depthwise.bias)
    w, b = numbers(layer.pointwise.weight)[:, :, 0, 0], numbers(layer.pointwise.bias)
    for n, g in np.ndindex(2, 2):
        scores = np.zeros((4, 5))
        for i, j in np.ndindex(4, 5):
            around = (slice(max(0, i - 1), i + 2), slice(max(0, j - 1), j + 2))
            largest = [(a[n, c][around] * scale[c] + shift[c]).max() for c in range(3 * g, 3 * g + 3)]
            scores[i, j] = w[g] @ largest + b[g]
        part = a[n, 3 * g : 3 * g + 3]
        y[n, 3 * g : 3 * g + 3] = part + part * softmax(scores.ravel(), 0).reshape(4, 5)
    equal(layer(x), y)
    equal(layer.shares(x).sum((2, 3)), torch.ones(2, 2, dtype=torch.double))


def test_groups_must_divide():
    with pytest.raises(UsageError, match="groups"):
        create("ulsam", channels=6)
