import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from windows import drawn, equal, numbers

from .plain import batch_norm, pointwise, relu, shaken, softmax


def weighed(layer, z):
    """γ of (n, c): norm, ReLU, a linear map, and again."""
    norms, maps = (layer.weigh[0], layer.weigh[3]), (layer.weigh[2], layer.weigh[5])
    for norm, linear in zip(norms, maps, strict=True):
        z = pointwise(linear, relu(batch_norm(norm, z)))
    return z


def around(i, j, high, wide):
    """The neighbours of a position, row by row."""
    for u in range(-(high // 2), high // 2 + 1):
        for v in range(-(wide // 2), wide // 2 + 1):
            yield i + u, j + v


@pytest.mark.parametrize(("kernel", "share", "shape"), [(3, 2, (4, 5)), ((3, 5), 3, (3, 4)), (5, 6, (1, 2))])
def test_pairs_are_weighed_by_their_difference(kernel, share, shape):
    x, layer = drawn(2, 6, *shape), shaken("san_sa", channels=6, kernel_size=kernel, share=share, reduction=2)
    a, (h, w) = numbers(x), shape
    high, wide = (kernel, kernel) if isinstance(kernel, int) else kernel
    q, k, v = (pointwise(f, a) for f in (layer.query, layer.key, layer.value))
    line = [np.linspace(-1, 1, n) for n in shape]
    places = pointwise(layer.place, np.stack(np.meshgrid(*line, indexing="ij"))[None])
    expected = np.zeros(a.shape)
    for n, i, j in np.ndindex(2, h, w):
        near = [(r, s) for r, s in around(i, j, high, wide) if 0 <= r < h and 0 <= s < w]
        pairs = np.stack([
            np.concatenate((q[n, :, i, j] - k[n, :, r, s], places[0, :, i, j] - places[0, :, r, s]))
            for r, s in near
        ])  # fmt: skip
        shares = softmax(weighed(layer, pairs), 0)
        for c in range(6):
            expected[n, c, i, j] = sum(p[c // share] * v[n, c, r, s] for p, (r, s) in zip(shares, near))
    equal(layer(x), expected)


@pytest.mark.parametrize("share", [1, 2])
def test_neighbourhoods_are_weighed_as_wholes(share):
    x, layer = drawn(2, 4, 3, 4), shaken("san_patchwise", channels=4, kernel_size=3, share=share, reduction=2)
    a = numbers(x)
    q, k, v = (pointwise(f, a) for f in (layer.query, layer.key, layer.value))
    k, v = (np.pad(m, ((0, 0), (0, 0), (1, 1), (1, 1))) for m in (k, v))
    expected = np.zeros(a.shape)
    for n, i, j in np.ndindex(2, 3, 4):
        near = [(r + 1, s + 1) for r, s in around(i, j, 3, 3)]
        seen = [*q[n, :, i, j], *(k[n, d, r, s] for d in range(2) for r, s in near)]
        weights = weighed(layer, np.array([seen]))[0].reshape(4 // share, 9)
        for c in range(4):
            expected[n, c, i, j] = sum(
                weight * v[n, c, r, s] for weight, (r, s) in zip(weights[c // share], near)
            )
    equal(layer(x), expected)


def test_wrong_words():
    with pytest.raises(UsageError, match="middle"):
        create("san_sa", channels=8, kernel_size=4)
    with pytest.raises(UsageError, match="share"):
        create("san_sa", channels=4)
    with pytest.raises(UsageError, match="form"):
        create("san_sa", channels=8, form="groupwise")
    assert create("san_sa", channels=8)(torch.zeros(1, 8, 9, 9)).shape == (1, 8, 9, 9)
