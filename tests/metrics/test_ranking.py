import math

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError

# Eight findings of five truths, best first: the catalogue's worked example.
HITS = [True, True, True, False, False, True, False, True]
SCORES = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2]


def seen(name, scores, hits, truths=None, **words):
    metric = create(name, **words)
    metric.update(torch.tensor(scores, dtype=torch.double), torch.tensor(hits, dtype=torch.bool), truths)
    return metric


def curve(scores, hits, truths):
    """Score, precision and recall at each different score, by counting."""
    rows = []
    for cut in sorted(set(scores), reverse=True):
        chosen = [h for s, h in zip(scores, hits, strict=True) if s >= cut]
        rows.append((cut, sum(chosen) / len(chosen), sum(chosen) / truths))
    return rows


def best_beyond(rows, hits_wanted, truths):
    """The best precision at a recall of at least hits_wanted / truths, in whole hits; 0 beyond the last."""
    return max((p for _, p, r in rows if round(r * truths) >= hits_wanted), default=0.0)


def average(rows, truths, points):
    if points is None:
        return sum(best_beyond(rows, hit, truths) for hit in range(1, truths + 1)) / truths
    return (
        sum(best_beyond(rows, math.ceil(k * truths / (points - 1) - 1e-9), truths) for k in range(points))
        / points
    )


def test_the_worked_example():
    table = seen("pr_curve", SCORES, HITS, 5).compute()
    assert table[:, 0].tolist() == SCORES
    assert table[:, 1].tolist() == pytest.approx([1, 1, 1, 0.75, 0.6, 2 / 3, 4 / 7, 0.625])
    assert table[:, 2].tolist() == pytest.approx([0.2, 0.4, 0.6, 0.6, 0.6, 0.8, 0.8, 1])
    assert seen("average_precision", SCORES, HITS, 5).compute().item() == pytest.approx(0.858333, abs=5e-7)
    got = seen("average_precision", SCORES, HITS, 5, points=11).compute().item()
    assert got == pytest.approx(0.871212, abs=5e-7)


def drawn(seed, count, ties):
    numbers = torch.Generator().manual_seed(seed)
    scores = torch.rand(count, generator=numbers, dtype=torch.double)
    scores = (scores * 6).round() / 6 if ties else scores
    hits = torch.rand(count, generator=numbers) < 0.5
    return scores.tolist(), hits.tolist(), int(hits.sum()) + seed % 3 + 1


@pytest.mark.parametrize("ties", [False, True])
def test_pr_curve_counts_what_scores_at_least_as_much(ties):
    for seed, count in ((0, 1), (1, 9), (2, 40)):
        scores, hits, truths = drawn(seed, count, ties)
        got = seen("pr_curve", scores, hits, truths).compute()
        torch.testing.assert_close(got, torch.tensor(curve(scores, hits, truths), dtype=torch.double))


@pytest.mark.parametrize("points", [None, 11, 101, 5])
@pytest.mark.parametrize("ties", [False, True])
def test_average_precision_is_the_best_precision_beyond_each_recall(points, ties):
    for seed, count in ((0, 1), (1, 9), (2, 40), (3, 150)):
        scores, hits, truths = drawn(seed, count, ties)
        expected = average(curve(scores, hits, truths), truths, points)
        got = seen("average_precision", scores, hits, truths, points=points).compute().item()
        assert got == pytest.approx(expected, abs=1e-12)


def test_recalls_are_compared_as_fractions():
    # 57 of 100 found is a recall of 0.57, which 57 * 0.01 overshoots in floating point.
    hits = [True] * 57
    got = seen("average_precision", [1 - k / 100 for k in range(57)], hits, 100, points=101).compute()
    assert got.item() == pytest.approx(58 / 101)


def test_truths_are_those_found_where_nothing_is_said_and_batches_add_up():
    metric = create("average_precision")
    for part in (slice(0, 3), slice(3, 8)):
        metric.update(torch.tensor(SCORES)[part], torch.tensor(HITS)[part])
    assert metric.truths == 5 and metric.compute().item() == pytest.approx(0.858333, abs=5e-7)


@pytest.mark.parametrize("points", [None, 11])
def test_perfect_nothing_found_and_nothing_there(points):
    assert seen("average_precision", [0.9, 0.8], [True, True], points=points).compute() == 1
    assert seen("average_precision", [0.9], [False], 3, points=points).compute() == 0
    assert seen("average_precision", [], [], 3, points=points).compute() == 0
    assert seen("average_precision", [0.5], [False], 0, points=points).compute().isnan()
    assert create("average_precision", points=points).compute().isnan()
    assert create("pr_curve").compute().shape == (0, 3)


def test_what_does_not_fit_is_refused():
    with pytest.raises(UsageError, match="points"):
        create("average_precision", points=1)
    for name in ("pr_curve", "average_precision"):
        with pytest.raises(UsageError, match=f"{name} wants scores"):
            create(name).update(torch.zeros(3), torch.zeros(2))
