import math

import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError

from .plain import attended, equal, heads, numbers

SIZES = [(5, 5), (3, 5), (1, 4)]


def place(i, n, m):
    return i + m - n


@pytest.mark.parametrize("name", ["shaw_rpe"])
@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("values", [True, False])
def test_vectors_join_keys_and_values(name, n, m, values):
    layer = create(name, head_width=4, max_distance=2, values=values).double()
    q, k, v = heads(0, 1, 2, queries=n, keys=m)
    a, b, c, e = (numbers(t) for t in (layer.keys, q, k, v))
    scores, mixed = np.zeros((2, 2, n, m)), np.zeros((2, 2, n, m, 4))
    for s, h, i, j in np.ndindex(2, 2, n, m):
        which = max(-2, min(2, j - place(i, n, m))) + 2
        scores[s, h, i, j] = b[s, h, i] @ (c[s, h, j] + a[which]) / 2
        mixed[s, h, i, j] = e[s, h, j] + (numbers(layer.values)[which] if values else 0)
    rows = [
        attended(scores[s : s + 1, h : h + 1, i : i + 1], mixed[s : s + 1, h : h + 1, i])
        for s, h, i in np.ndindex(2, 2, n)
    ]
    equal(layer.attend(q, k, v), np.stack(rows).reshape(2, 2, n, 4))
    equal(layer(q, k), scores - numbers(q @ k.mT) / 2)


@pytest.mark.parametrize("name", ["xlnet_rpe"])
@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("width", [None, 6])
def test_keys_made_of_sinusoids(name, n, m, width):
    layer = create(name, heads=2, head_width=4, width=width).double()
    q, k, v = heads(0, 1, 2, queries=n, keys=m)
    for parameter, seed in zip(layer.parameters(), (5, 6, 7)):
        draws = torch.Generator().manual_seed(seed)
        parameter.data.copy_(torch.randn(parameter.shape, generator=draws, dtype=torch.double))
    d = width or 8
    scores = np.zeros((2, 2, n, m))
    for s, h, i, j in np.ndindex(2, 2, n, m):
        angles = [(place(i, n, m) - j) / 10_000 ** (2 * t / d) for t in range(d // 2)]
        r = np.array([math.sin(x) for x in angles] + [math.cos(x) for x in angles])
        u, w = numbers(layer.u)[h, 0], numbers(layer.v)[h, 0]
        one, other = numbers(q)[s, h, i], numbers(k)[s, h, j]
        scores[s, h, i, j] = (one + u) @ other + (one + w) @ (r @ numbers(layer.weight)[h])
    equal(layer.scale(4) * (q @ k.mT) + layer(q, k), scores / 2)
    equal(layer.attend(q, k, v), attended(scores / 2, numbers(v)))


@pytest.mark.parametrize(("name", "turn"), [("deberta_rpe", 1), ("deberta_rpe_paper", -1)])
@pytest.mark.parametrize(("n", "m"), [*SIZES, (9, 9)])
def test_content_and_places_look_at_each_other(name, turn, n, m):
    layer = create(name, heads=2, head_width=4, max_distance=3, width=5).double()
    q, k, v = heads(0, 1, 2, queries=n, keys=m)
    with torch.no_grad():
        layer.table.mul_(50)
    p, scores = numbers(layer.table), np.zeros((2, 2, n, m))
    keys, queries = (
        p @ numbers(layer.key.weight).T,
        p @ numbers(layer.query.weight).T + numbers(layer.query.bias),
    )
    for s, h, i, j in np.ndindex(2, 2, n, m):
        delta, other = (max(0, min(5, way * (place(i, n, m) - j) + 3)) for way in (1, turn))
        one, two, part = numbers(q)[s, h, i], numbers(k)[s, h, j], slice(4 * h, 4 * h + 4)
        scores[s, h, i, j] = one @ two + one @ keys[delta, part] + two @ queries[other, part]
    equal(layer.scale(4) * (q @ k.mT) + layer(q, k), scores / math.sqrt(12))
    equal(layer.attend(q, k, v), attended(scores / math.sqrt(12), numbers(v)))


@pytest.mark.parametrize("name", ["deberta_rpe"])
def test_without_table_and_bias_content_is_left(name):
    layer, (q, k, v) = create(name, heads=2, head_width=4).double(), heads(0, 1, 2)
    with torch.no_grad():
        layer.table.zero_()
    assert float(layer(q, k).detach().abs().max()) > 0.01  # the bias of the places' queries still speaks
    torch.nn.init.zeros_(layer.query.bias)
    equal(layer(q, k), torch.zeros(2, 2, 5, 5, dtype=torch.double))
    equal(layer.attend(q, k, v), attended(numbers(q @ k.mT) / math.sqrt(12), numbers(v)))


@pytest.mark.parametrize("name", ["deberta_rpe"])
def test_one_table_for_two_layers(name):
    one, two = (create(name, heads=2, head_width=4, max_distance=3) for _ in range(2))
    two.table = one.table
    assert two.table is one.table and len({id(p) for p in (*one.parameters(), *two.parameters())}) == 7


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("shaw_rpe", {"head_width": 4, "max_distance": 0}),
        ("xlnet_rpe", {"heads": 2, "head_width": 4, "width": 5}),
        ("deberta_rpe", {"heads": 2, "head_width": 4, "max_distance": 0}),
        ("deberta_rpe", {"heads": 2, "head_width": 4, "index": "both"}),
    ],
)
def test_wrong_words(name, words):
    with pytest.raises(UsageError):
        create(name, **words)
