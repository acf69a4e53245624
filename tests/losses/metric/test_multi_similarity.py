import pytest
import torch

from embedded import batch, dot, log_sum, mean, unit
from torchatlas.engine.errors import UsageError
from torchatlas.losses.metric import MultiSimilarity, MultiSimilarityMiner


def mined(rows, y, a, epsilon):
    """The cosines of a row's pairs of either kind that count."""
    n = range(len(rows))
    own = [dot(rows[a], rows[k]) for k in n if k != a and y[k] == y[a]]
    others = [dot(rows[a], rows[k]) for k in n if y[k] != y[a]]
    if epsilon is None:
        return own, others
    kept = [s for s in own if others and s - epsilon < max(others)]
    return kept, [s for s in others if own and s + epsilon > min(own)]


@pytest.mark.parametrize(
    "options",
    [{}, {"epsilon": None}, {"epsilon": -0.4}, {"alpha": 1.0, "beta": 5.0, "base": 1.0}, {"base": 0.1}],
)
def test_it_is_the_mean_over_rows_of_the_mined_pairs(options):
    x, y = batch(rows=11, classes=4)
    rows, losses = [unit(row) for row in x.tolist()], []
    alpha, beta, base = (options.get(k, v) for k, v in (("alpha", 2.0), ("beta", 50.0), ("base", 0.5)))
    for a in range(11):
        own, others = mined(rows, y, a, options.get("epsilon", 0.1))
        pull = log_sum([0.0, *(-alpha * (s - base) for s in own)]) / alpha
        losses.append(pull + log_sum([0.0, *(beta * (s - base) for s in others)]) / beta)
    assert MultiSimilarity(**options)(x, y).item() == pytest.approx(mean(losses), rel=1e-11)


def test_the_miner_takes_pairs_that_are_out_of_order():
    similarity = torch.tensor([[1.0, 0.9, 0.2, 0.5], [0.9, 1, 0, 0], [0.2, 0, 1, 0], [0.5, 0, 0, 1]])
    labels = torch.tensor([0, 0, 0, 1])
    near, apart = MultiSimilarityMiner(0.1)(similarity, labels)
    assert near[0].tolist() == [False, False, True, False]  # 0.2 < 0.5 + 0.1 < 0.9
    assert apart[0].tolist() == [False, False, False, True]  # 0.5 + 0.1 > 0.2
    near, apart = MultiSimilarityMiner(0.5)(similarity, labels)
    assert near[0].tolist() == [False, True, True, False]


def test_no_pairs_cost_nothing():
    x, y = batch()
    assert MultiSimilarity()(x, torch.arange(9)).item() == 0
    assert MultiSimilarity()(x, 0 * y).item() == 0  # no row of another class to be mined against


def test_wrong_options_are_refused():
    with pytest.raises(UsageError, match="0"):
        MultiSimilarity(alpha=0.0)
