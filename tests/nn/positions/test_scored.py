import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.nn.positions.scored import (
    AbstractScoredPosition,
    by_distance,
    distances,
    from_farthest,
    shifted,
)

from .plain import attended, equal, heads, numbers


@pytest.mark.parametrize(("n", "m"), [(4, 4), (1, 5), (3, 6), (1, 1)])
def test_distances_laid_out(n, m):
    q, k = torch.zeros(1, 1, n, 2), torch.zeros(1, 1, m, 2)
    expected = torch.tensor([[j - (i + m - n) for j in range(m)] for i in range(n)])
    assert torch.equal(distances(q, k), expected)
    far = from_farthest(q, k)
    assert far.tolist() == list(range(1 - m, n + 1))
    assert torch.equal(by_distance(far, n, m), expected)
    assert torch.equal(shifted(far.expand(2, n, -1), m), expected.expand(2, -1, -1))
    rows = torch.arange(n)[:, None] * 1000 + far  # each row keeps its own numbers
    assert torch.equal(shifted(rows, m), expected + torch.arange(n)[:, None] * 1000)


def test_more_queries_than_keys():
    for call in (distances, from_farthest):
        with pytest.raises(UsageError, match="3 queries cannot be the last of 2 keys"):
            call(torch.zeros(1, 1, 3, 2), torch.zeros(1, 1, 2, 2))


class Half(AbstractScoredPosition):
    def forward(self, q, k):
        return distances(q, k).expand(2, -1, -1) / 2


def test_attention_with_a_bias_and_a_mask():
    q, k, v = heads(0, 1, 2, queries=3)
    scores = numbers(q @ k.mT) / 2 + numbers(distances(q, k)) / 2
    equal(Half().attend(q, k, v), attended(scores, numbers(v)))
    mask = distances(q, k) <= 0
    scores[:, :, ~numbers(mask)] = -1e9
    equal(Half().attend(q, k, v, mask), attended(scores, numbers(v)))
    equal(Half().shares(q, k, mask) @ v, attended(scores, numbers(v)))
