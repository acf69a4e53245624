import numpy as np
import torch

from torchatlas import create
from windows import drawn, equal, numbers

from .plain import layer_norm, pointwise, relu, shaken, softmax


def test_one_summary_is_added_to_all():
    x, layer = drawn(2, 6, 3, 4), shaken("gcnet", channels=6, reduction=2)
    a = numbers(x).reshape(2, 6, 12)
    shares = softmax(pointwise(layer.score, a)[:, 0], 1)
    context = np.stack([sum(shares[n, i] * a[n, :, i] for i in range(12)) for n in range(2)])
    first, norm, _, last = layer.transform
    added = pointwise(last, relu(layer_norm(norm, pointwise(first, context))))
    equal(layer(x), numbers(x) + added[..., None, None])


def test_it_begins_as_the_identity():
    x = drawn(2, 4, 3, 5)
    assert torch.equal(create("gcnet", channels=4).double()(x), x)
