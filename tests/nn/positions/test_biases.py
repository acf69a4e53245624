import math

import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.nn.positions.biases import bucketed

from .plain import attended, equal, heads, numbers


def bucket(distance, count=32, farthest=128, both_ways=True):
    """By logarithms, a hair above so that exact powers do not fall below themselves."""
    first = 0
    if both_ways:
        count //= 2
        first = count if distance > 0 else 0
        distance = abs(distance)
    else:
        distance = max(0, -distance)
    exact = count // 2
    if distance < exact:
        return first + distance
    share = math.log(distance / exact) / math.log(farthest / exact)
    return first + min(count - 1, exact + int(share * (count - exact) + 1e-9))


@pytest.mark.parametrize("name", ["t5_rpe"])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_a_number_per_head_and_bucket(name, bidirectional):
    layer = create(name, heads=2, bidirectional=bidirectional).double()
    q, k = torch.zeros(1, 2, 150, 4), torch.zeros(1, 2, 300, 4)
    bias, weight = numbers(layer(q, k)), numbers(layer.weight)
    assert bias.shape == (2, 150, 300)
    for i in range(0, 150, 7):
        for j in range(300):
            which = bucket(j - (i + 150), both_ways=bidirectional)
            assert bias[0, i, j] == weight[0, which] and bias[1, i, j] == weight[1, which]


@pytest.mark.parametrize("name", ["t5_rpe"])
def test_known_buckets(name):
    expected = [*range(8), *[8] * 4, *[9] * 4, *[10] * 7, *[11] * 9, *[12] * 14, *[13] * 18, *[14] * 27]
    assert (
        bucketed(128, 16, 8)[: len(expected)] == expected
        and bucketed(128, 16, 8)[len(expected) :] == [15] * 38
    )
    assert create(name, heads=3).weight.shape == (3, 32)


@pytest.mark.parametrize("name", ["t5_rpe"])
def test_products_are_not_scaled(name):
    layer, (q, k, v) = create(name, heads=2).double(), heads(0, 1, 2)
    assert layer.scale(64) == 1
    equal(layer.attend(q, k, v), attended(numbers(q @ k.mT + layer(q, k)), numbers(v)))
    leaf = [x.requires_grad_() for x in (q, k, v)]
    assert torch.autograd.gradcheck(layer.attend, leaf, fast_mode=True)


@pytest.mark.parametrize("name", ["alibi"])
@pytest.mark.parametrize(
    ("count", "slopes"),
    [
        (8, [2.0**-k for k in range(1, 9)]),
        (16, [2 ** (-k / 2) for k in range(1, 17)]),
        (3, [2.0**-4, 2.0**-8, 2.0**-2]),
        (6, [2.0**-2, 2.0**-4, 2.0**-6, 2.0**-8, 2.0**-1, 2.0**-3]),
        (1, [2.0**-8]),
    ],
)
def test_scores_fall_evenly(name, count, slopes):
    layer = create(name, heads=count)
    q, k = torch.zeros(1, count, 3, 4), torch.zeros(1, count, 5, 4)
    bias = layer(q, k)
    for h, i, j in np.ndindex(count, 3, 5):
        assert bias[h, i, j].item() == pytest.approx(-slopes[h] * abs(i + 2 - j), rel=1e-6)


@pytest.mark.parametrize("name", ["alibi"])
def test_attention_shifts_with_its_window(name):
    layer, (q, k, v) = create(name, heads=2).double(), heads(0, 1, 2)
    expected = numbers(q @ k.mT) / 2
    for h, a in enumerate((2.0**-4, 2.0**-8)):
        for i, j in np.ndindex(5, 5):
            expected[:, h, i, j] += -a * (i - j) if j <= i else -1e9
    mask = torch.ones(5, 5, dtype=torch.bool).tril()
    equal(layer.attend(q, k, v, mask), attended(expected, numbers(v)))


@pytest.mark.parametrize("name", ["urpe"])
@pytest.mark.parametrize("bias", ["t5_rpe", "alibi"])
def test_weights_after_softmax(name, bias):
    layer, (q, k, v) = create(name, heads=2, context=7, bias=bias).double(), heads(0, 1, 2, queries=3)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(2, 13))
    scale, c = (1.0 if bias == "t5_rpe" else 0.5), numbers(layer.weight)
    scores = numbers(scale * (q @ k.mT) + layer.bias(q, k))
    factors = np.zeros((2, 3, 5))
    for h, i, j in np.ndindex(2, 3, 5):
        factors[h, i, j] = c[h, j - (i + 2) + 6]
    equal(layer.attend(q, k, v), attended(scores, numbers(v), factors))
    equal(layer(q, k), layer.bias(q, k))


@pytest.mark.parametrize("name", ["urpe"])
def test_it_starts_as_its_bias_alone(name):
    layer, (q, k, v) = create(name, heads=2, context=5).double(), heads(0, 1, 2)
    equal(layer.attend(q, k, v), layer.bias.attend(q, k, v))
    mask = torch.ones(5, 5, dtype=torch.bool).tril()
    equal(layer.attend(q, k, v, mask), layer.bias.attend(q, k, v, mask))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("t5_rpe", {"buckets": 6}),
        ("t5_rpe", {"buckets": 2}),
        ("t5_rpe", {"max_distance": 8}),
        ("alibi", {"heads": 0}),
        ("urpe", {"context": 0}),
        ("urpe", {"context": 4, "bias": "deberta_rpe"}),
        ("urpe", {"context": 4, "bias": "rope"}),
    ],
)
def test_wrong_words(name, words):
    with pytest.raises((UsageError, TypeError)):
        create(name, **({"heads": 2} | words))


@pytest.mark.parametrize("name", ["urpe"])
def test_more_keys_than_the_context(name):
    q, k, v = heads(0, 1, 2)
    with pytest.raises(UsageError, match="context"):
        create(name, heads=2, context=4).double().attend(q, k, v)
