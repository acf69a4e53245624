import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from windows import drawn, equal, numbers

from .plain import pointwise, shaken, softmax


def once(layer, x):
    """Full attention, with all but a position's row and column hidden."""
    h, w = x.shape[2:]
    q, k, v = (pointwise(f, x).reshape(len(x), -1, h * w) for f in (layer.query, layer.key, layer.value))
    y = np.zeros(v.shape)
    for n, i in np.ndindex(len(x), h * w):
        seen = [j for j in range(h * w) if j // w == i // w or j % w == i % w]
        assert len(seen) == h + w - 1
        shares = softmax(np.array([q[n, :, i] @ k[n, :, j] for j in seen]), 0)
        y[n, :, i] = sum(s * v[n, :, j] for s, j in zip(shares, seen, strict=True))
    return x + layer.gamma.item() * y.reshape(x.shape)


@pytest.mark.parametrize("shape", [(2, 4, 3, 5), (1, 4, 1, 4), (1, 4, 4, 1)])
def test_row_and_column_twice(shape):
    x, layer = drawn(*shape), shaken("ccnet", channels=4, reduction=2)
    equal(layer(x), once(layer, once(layer, numbers(x))))


def test_after_two_turns_every_position_counts():
    x, layer = drawn(1, 4, 3, 5).requires_grad_(), shaken("ccnet", channels=4)
    layer(x)[0, :, 0, 0].sum().backward()
    assert bool((x.grad.abs().sum(1) > 0).all())


def test_it_begins_as_the_identity():
    x = drawn(2, 4, 3, 5)
    assert torch.equal(create("ccnet", channels=4).double()(x), x)
    with pytest.raises(UsageError, match="recurrence"):
        create("ccnet", channels=4, recurrence=0)
