import numpy as np
import torch

from torchatlas import create
from windows import drawn, equal, numbers

from .plain import pointwise, shaken, softmax


def test_positions_look_at_positions_and_channels_at_channels():
    x, layer = drawn(2, 4, 3, 5), shaken("danet", channels=4, reduction=2)
    a = numbers(x).reshape(2, 4, 15)
    q, k, v = (pointwise(f, a) for f in (layer.query, layer.key, layer.value))
    y = np.zeros((2, 4, 15))
    for n in range(2):
        for i in range(15):
            shares = softmax(np.array([q[n, :, i] @ k[n, :, j] for j in range(15)]), 0)
            y[n, :, i] += layer.alpha.item() * (v[n] @ shares)
        energy = a[n] @ a[n].T
        for c in range(4):
            shares = softmax(energy[c].max() - energy[c], 0)
            y[n, c] += layer.beta.item() * sum(shares[d] * a[n, d] for d in range(4))
    equal(layer(x), numbers(x) + y.reshape(2, 4, 3, 5))


def test_it_begins_as_the_identity():
    x = drawn(2, 4, 3, 5)
    assert torch.equal(create("danet", channels=4).double()(x), x)
