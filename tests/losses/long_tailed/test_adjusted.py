from math import exp, log

import pytest
import torch
import torch.nn.functional as F

from torchatlas.engine.errors import UsageError
from torchatlas.losses.long_tailed import BalancedSoftmax, LogitAdjustment, adjusted

COUNTS = (100, 10, 1)
SCORES, TARGET = [[2.0, 1.0, 0.0], [-1.0, 0.5, 3.0], [30.0, 0.2, -25.0], [0.3, 0.2, 0.1]], [2, 1, 0, 0]


def double(values):
    return torch.tensor(values, dtype=torch.double)


def balanced(z, y, n):
    return -log(n[y] * exp(z[y]) / sum(k * exp(x) for k, x in zip(n, z, strict=True)))


def test_the_known_value():
    z, y = double([[2.0, 1.0, 0.0]]), torch.tensor([2])
    assert BalancedSoftmax(COUNTS)(z, y).item() == pytest.approx(6.642602, abs=5e-7)
    assert LogitAdjustment(COUNTS)(z, y).item() == pytest.approx(6.642602, abs=5e-7)


@pytest.mark.parametrize("counts", [COUNTS, (3, 700, 41)])
def test_balanced_softmax_multiplies_by_counts(counts):
    each = [balanced(z, y, counts) for z, y in zip(SCORES, TARGET, strict=True)]
    got = BalancedSoftmax(counts, "none")(double(SCORES), torch.tensor(TARGET))
    assert got.tolist() == pytest.approx(each, abs=1e-5)
    mean = BalancedSoftmax(counts)(double(SCORES), torch.tensor(TARGET))
    assert mean.item() == pytest.approx(sum(each) / 4, abs=1e-5)


@pytest.mark.parametrize("tau", [0.0, 0.5, 1.0, 2.0])
def test_logit_adjustment_adds_log_shares(tau):
    each = []
    for z, y in zip(SCORES, TARGET, strict=True):
        moved = [x + tau * log(n / 111) for x, n in zip(z, COUNTS, strict=True)]
        each.append(log(sum(map(exp, moved))) - moved[y])
    got = LogitAdjustment(COUNTS, tau, "none")(double(SCORES), torch.tensor(TARGET))
    assert got.tolist() == pytest.approx(each, abs=1e-5)


def test_they_are_one_at_tau_one_and_cross_entropy_on_balanced_classes():
    z, y = torch.randn(40, 5).double() * 5, torch.arange(40) % 5
    n = (900, 50, 7, 7, 1)
    torch.testing.assert_close(LogitAdjustment(n)(z, y), BalancedSoftmax(n)(z, y), rtol=1e-6, atol=1e-6)
    for loss in (LogitAdjustment([6] * 5), BalancedSoftmax([6] * 5), LogitAdjustment(n, tau=0.0)):
        torch.testing.assert_close(loss(z, y), F.cross_entropy(z, y), rtol=1e-6, atol=1e-6)


def test_afterwards_log_shares_are_taken_off():
    z = torch.randn(8, 3).double()
    got = adjusted(z, COUNTS, tau=0.7)
    want = [[x - 0.7 * log(n / 111) for x, n in zip(row, COUNTS, strict=True)] for row in z.tolist()]
    for row, expected in zip(got.tolist(), want, strict=True):
        assert row == pytest.approx(expected)
    with pytest.raises(UsageError, match="3 scores a row"):
        adjusted(torch.zeros(1, 4), COUNTS)


def test_the_adjusted_threshold_is_best_for_the_mean_error_of_the_classes():
    """Classes at -1 and 1 with shares 0.9 and 0.1: the plain threshold is ln 9 / 2, the adjusted 0."""
    x = torch.linspace(-3, 3, 6001).double()
    log_ratio = 2 * x + log(0.1 / 0.9)  # of the posteriors, class 1 by class 0
    z = torch.stack([torch.zeros_like(x), log_ratio], 1)
    plain, moved = (scores.argmax(1) for scores in (z, adjusted(z, (900, 100))))
    assert x[plain == 1].min().item() == pytest.approx(log(9) / 2, abs=2e-3)
    assert x[moved == 1].min().item() == pytest.approx(0.0, abs=2e-3)


def test_a_class_without_rows_and_wrong_words():
    z, y = torch.zeros(1, 3), torch.tensor([1])
    assert torch.equal(BalancedSoftmax((5, 0, 2))(z, y), BalancedSoftmax((5, 1, 2))(z, y))
    with pytest.raises(UsageError, match="tau"):
        LogitAdjustment(COUNTS, tau=float("inf"))
    with pytest.raises(UsageError, match="average"):
        BalancedSoftmax(COUNTS, "average")
    with pytest.raises(UsageError, match="class_counts"):
        LogitAdjustment(())
