import cmath

import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError

from .plain import equal, heads, numbers


def turned(x, first, base, layout):
    """Pairs as complex numbers, times e^{i k θ}."""
    y, half = np.zeros(x.shape), x.shape[-1] // 2
    for b, h, k, i in np.ndindex(*x.shape[:3], half):
        one, two = (2 * i, 2 * i + 1) if layout == "interleaved" else (i, i + half)
        angle = (first + k) * base ** (-2 * i / x.shape[-1])
        z = complex(x[b, h, k, one], x[b, h, k, two]) * cmath.exp(1j * angle)
        y[b, h, k, one], y[b, h, k, two] = z.real, z.imag
    return y


@pytest.mark.parametrize(("name", "layout"), [("rope", "interleaved"), ("rope_halves", "halves")])
@pytest.mark.parametrize(("queries", "base"), [(7, 10_000.0), (2, 30.0)])
def test_pairs_are_turned(name, layout, queries, base):
    q, k = heads(0, 1, queries=queries, keys=7, width=6)
    new_q, new_k = create(name, base=base)(q, k)
    equal(new_q, turned(numbers(q), 7 - queries, base, layout))
    equal(new_k, turned(numbers(k), 0, base, layout))


@pytest.mark.parametrize("name", ["rope_halves"])
def test_the_layouts_are_permutations_of_each_other(name):
    q, k = heads(0, 1, width=6)
    order = [0, 2, 4, 1, 3, 5]  # the pairs' first numbers, then their second ones
    for one, other in zip(create("rope")(q, k), create(name)(q[..., order], k[..., order]), strict=True):
        equal(one[..., order], other)


@pytest.mark.parametrize("name", ["rope"])
def test_wrong_words(name):
    q, k = heads(0, 1, width=6)
    with pytest.raises(UsageError, match="layout"):
        create(name, layout="pairs")
    with pytest.raises(UsageError, match="last"):
        create(name)(q, k[:, :, :3])
    with pytest.raises(UsageError, match="even"):
        create(name)(q[..., :5], k[..., :5])
    assert create(name)(q.half(), k.half())[0].dtype == torch.half
