import math

import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from windows import conv, drawn, equal, numbers

from .plain import pointwise, shaken, softmax

WORDS = {"in_channels": 3, "out_channels": 7, "heads": 2, "keys": 6, "values": 4}


@pytest.mark.parametrize("size", [(3, 4), (5, 6)])
def test_position_by_position(size):
    x, layer = drawn(2, 3, 3, 4), shaken("aaconv", size=size, **WORDS)
    q, k, v = np.split(pointwise(layer.inward, numbers(x)), [6, 12], 1)
    down, across = numbers(layer.down), numbers(layer.across)
    mixed = np.zeros((2, 4, 3, 4))
    for n, t, i, j in np.ndindex(2, 2, 3, 4):
        query, scores, seen = q[n, 3 * t : 3 * t + 3, i, j], [], []
        for u, w in np.ndindex(3, 4):
            met = k[n, 3 * t : 3 * t + 3, u, w] + down[u - i + size[0] - 1] + across[w - j + size[1] - 1]
            scores.append(float(query @ met) / math.sqrt(3))
            seen.append(v[n, 2 * t : 2 * t + 2, u, w])
        mixed[n, 2 * t : 2 * t + 2, i, j] = softmax(np.array(scores), 0) @ np.array(seen)
    convolved = conv(x, layer.conv.weight, layer.conv.bias, 1, 1)
    equal(layer(x), np.concatenate((convolved, pointwise(layer.outward, mixed)), 1))


def test_wrong_words():
    for words in ({"heads": 4}, {"values": 8}, {"kernel_size": 2}):
        with pytest.raises(UsageError):
            create("aaconv", **(WORDS | {"size": (3, 4)} | words))
    with pytest.raises(UsageError, match="larger"):
        create("aaconv", size=(3, 4), **WORDS)(torch.zeros(1, 3, 4, 4))
