import numpy as np
import pytest

from torchatlas import create
from torchatlas.engine.errors import UsageError
from windows import drawn, equal, numbers

from .plain import layer_norm, means, pointwise, shaken, sigmoid, softmax


def by_channel(gate, x):
    shares = softmax(pointwise(gate.query, x).reshape(len(x), -1), 1)
    values = pointwise(gate.value, x).reshape(len(x), -1, shares.shape[1])
    seen = np.stack([v @ s for v, s in zip(values, shares, strict=True)])
    return x * sigmoid(layer_norm(gate.norm, pointwise(gate.widen, seen)))[..., None, None]


def by_position(gate, x):
    shares = softmax(means(pointwise(gate.query, x)), 1)
    return x * sigmoid((pointwise(gate.value, x) * shares).sum(1, keepdims=True))


@pytest.mark.parametrize("name", ["psa_polarized", "psa_polarized_sequential"])
def test_side_by_side_or_one_after_the_other(name):
    x, layer = drawn(2, 6, 3, 4), shaken(name, channels=6)
    a, y = numbers(x), by_channel(layer.channel, numbers(x))
    one_after_the_other = name.endswith("sequential")
    expected = by_position(layer.position, y) if one_after_the_other else y + by_position(layer.position, a)
    equal(layer(x), expected)


def test_no_other_order():
    with pytest.raises(UsageError, match="parallel, sequential"):
        create("psa_polarized", channels=4, order="both")
