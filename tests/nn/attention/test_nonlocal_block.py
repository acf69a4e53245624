import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from windows import drawn, equal, numbers

from .plain import batch_norm, pointwise, shaken, softmax

X = drawn(2, 4, 5, 3)
NAMES = ["nonlocal", "nonlocal_gaussian", "nonlocal_dot", "nonlocal_concatenation"]


def largest(x, pool):
    h, w = x.shape[2] // pool, x.shape[3] // pool
    return x[:, :, : h * pool, : w * pool].reshape(*x.shape[:2], h, pool, w, pool).max((3, 5))


def expected(name, layer, x, pool):
    """Position by position, pair by pair."""
    plain = name == "nonlocal_gaussian"
    q, k = (x, x) if plain else (pointwise(layer.query, x), pointwise(layer.key, x))
    v = pointwise(layer.value, x)
    q, k, v = (z.reshape(len(x), z.shape[1], -1) for z in (q, largest(k, pool), largest(v, pool)))
    y = np.zeros((len(x), v.shape[1], q.shape[2]))
    for n, i in np.ndindex(len(x), q.shape[2]):
        f = np.zeros(k.shape[2])
        for j in range(len(f)):
            f[j] = float(q[n, :, i] @ k[n, :, j])
            if name == "nonlocal_concatenation":
                w = numbers(layer.weight)
                f[j] = max(0.0, float(w[0] @ q[n, :, i] + w[1] @ k[n, :, j]))
        shares = softmax(f, 0) if name in ("nonlocal", "nonlocal_gaussian") else f / len(f)
        y[n, :, i] = v[n] @ shares
    y = y.reshape(len(x), -1, *x.shape[2:])
    return x + batch_norm(layer.out[1], pointwise(layer.out[0], y))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("pool", [1, 2])
def test_every_position_sees_all(name, pool):
    layer = shaken(name, channels=4, pool=pool)
    equal(layer(X), expected(name, layer, numbers(X), pool))


@pytest.mark.parametrize("name", NAMES)
def test_it_begins_as_the_identity(name):
    assert torch.equal(create(name, channels=4).double().eval()(X), X)


@pytest.mark.parametrize("name", ["nonlocal"])
def test_the_order_of_positions_does_not_matter(name):
    layer, order = shaken(name, channels=4), torch.randperm(15)
    turned = X.flatten(2)[:, :, order].view_as(X)
    equal(layer(turned).flatten(2), layer(X).flatten(2)[:, :, order])


@pytest.mark.parametrize("name", ["nonlocal"])
def test_wrong_words(name):
    for words in ({"form": "cosine"}, {"pool": 0}, {"reduction": 0}):
        with pytest.raises(UsageError):
            create(name, channels=4, **words)


@pytest.mark.parametrize("sizes", [(1, 3, 6, 8), (2,), (1, 4)])
def test_parts_of_the_map_are_seen_by_their_means(sizes):
    x, layer = numbers(X), shaken("annnet", channels=4, sizes=sizes)
    q, k, v = (pointwise(f, x) for f in (layer.query, layer.key, layer.value))
    y = np.zeros(q.shape)
    for n in range(len(x)):
        anchors = []
        for s, (i, j) in ((size, at) for size in sizes for at in np.ndindex(size, size)):
            rows = slice(int(np.floor(i * 5 / s)), int(np.ceil((i + 1) * 5 / s)))
            columns = slice(int(np.floor(j * 3 / s)), int(np.ceil((j + 1) * 3 / s)))
            anchors.append([z[n, :, rows, columns].mean((1, 2)) for z in (k, v)])
        assert len(anchors) == sum(s * s for s in sizes)
        for i, j in np.ndindex(5, 3):
            shares = softmax(np.array([q[n, :, i, j] @ key for key, _ in anchors]), 0)
            y[n, :, i, j] = sum(p * value for p, (_, value) in zip(shares, anchors, strict=True))
    equal(layer(X), x + batch_norm(layer.out[1], pointwise(layer.out[0], y)))
    with pytest.raises(UsageError, match="sizes"):
        create("annnet", channels=4, sizes=(1, 0))
