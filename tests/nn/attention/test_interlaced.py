import numpy as np
import pytest

from torchatlas import create
from torchatlas.engine.errors import UsageError
from windows import drawn, equal, numbers

from .plain import narrowed, pointwise, shaken, softmax


def looked(layer, x, seen):
    """Attention where position i sees the positions j of seen(i, j); maps are padded already."""
    q, k = narrowed(layer.query, x, norm=True), narrowed(layer.key, x, norm=True)
    v, y = pointwise(layer.value, x), np.zeros(x.shape)
    places = list(np.ndindex(*x.shape[2:]))
    for n in range(len(x)):
        for r, s in places:
            near = [place for place in places if seen((r, s), place)]
            scores = [q[n, :, r, s] @ k[n, :, i, j] / np.sqrt(q.shape[1]) for i, j in near]
            shares = softmax(np.array(scores), 0)
            y[n, :, r, s] = sum(p * v[n, :, i, j] for p, (i, j) in zip(shares, near, strict=True))
    return y


@pytest.mark.parametrize(
    ("shape", "size", "border"),
    [
        ((4, 6), 2, ((0, 0), (0, 0))),
        ((4, 6), (2, 3), ((0, 0), (0, 0))),
        ((3, 5), 2, ((0, 1), (0, 1))),
        ((5, 3), (4, 2), ((1, 2), (0, 1))),
    ],
)
def test_far_positions_and_then_near_ones(shape, size, border):
    x, layer = drawn(2, 4, *shape), shaken("isanet", channels=4, size=size)
    p, q = (size, size) if isinstance(size, int) else size
    a = np.pad(numbers(x), ((0, 0), (0, 0), *border))
    a = looked(layer.far, a, lambda i, j: i[0] % p == j[0] % p and i[1] % q == j[1] % q)
    a = looked(layer.near, a, lambda i, j: i[0] // p == j[0] // p and i[1] // q == j[1] // q)
    (top, _), (left, _) = border
    equal(layer(x), a[:, :, top : top + shape[0], left : left + shape[1]])


def test_every_position_counts():
    x, layer = drawn(1, 4, 4, 6).requires_grad_(), shaken("isanet", channels=4, size=2)
    layer(x)[0, :, 0, 0].sum().backward()
    assert bool((x.grad.abs().sum(1) > 0).all())
    with pytest.raises(UsageError, match="size=0"):
        create("isanet", channels=4, size=0)
