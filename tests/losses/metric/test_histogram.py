import pytest
import torch

from embedded import batch, dot, unit
from torchatlas.engine.errors import UsageError
from torchatlas.losses.metric import HistogramLoss


def histogram(values, nodes, step):
    """Each value shared between the nodes beside it by a triangle's height."""
    shares = [sum(max(0.0, 1 - abs(v - node) / step) for v in values) for node in nodes]
    return [share / len(values) for share in shares]


@pytest.mark.parametrize("bins", [1, 4, 100, 150])
def test_it_is_the_sum_over_nodes(bins):
    x, y = batch(rows=12)
    rows = [unit(row) for row in x.tolist()]
    step = 2 / bins
    nodes = [-1 + step * r for r in range(bins + 1)]
    near = [dot(rows[i], rows[j]) for i in range(12) for j in range(i) if y[i] == y[j]]
    apart = [dot(rows[i], rows[j]) for i in range(12) for j in range(i) if y[i] != y[j]]
    own, other = histogram(near, nodes, step), histogram(apart, nodes, step)
    expected = sum(other[r] * sum(own[: r + 1]) for r in range(bins + 1))
    assert HistogramLoss(bins)(x, y).item() == pytest.approx(expected, rel=1e-9)


def test_parted_classes_cost_nothing_and_mixed_ones_the_whole_chance():
    x = torch.eye(3, dtype=torch.double).repeat_interleave(2, 0)
    parted, mixed = torch.tensor([0, 0, 1, 1, 2, 2]), torch.tensor([0, 2, 1, 0, 2, 1])
    assert HistogramLoss()(x, parted).item() == pytest.approx(0, abs=1e-12)
    assert HistogramLoss()(x, mixed).item() == pytest.approx(1, abs=1e-12)  # all of one class are at 0


def test_alike_histograms_cost_about_a_half():
    x, y = batch(rows=400, width=6)
    assert HistogramLoss()(x, y).item() == pytest.approx(0.5, abs=0.02)


def test_wrong_options_are_refused():
    with pytest.raises(UsageError, match="0"):
        HistogramLoss(0)
