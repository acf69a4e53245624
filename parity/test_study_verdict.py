"""The statistics of verdicts beside SciPy and statsmodels."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from torchatlas.study.verdict.statistics import corrected_resampled_t, holm


def test_holm():
    p = np.random.default_rng(0).random(25) ** 3
    p[3] = p[4]
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-15)


@pytest.mark.parametrize("count", [2, 5, 30])
def test_paired_t(count):
    a, b = np.random.default_rng(count).normal(size=(2, count)) + [[0.4], [0]]
    ours, theirs = corrected_resampled_t(a - b, 0.0), stats.ttest_rel(a, b)
    interval = theirs.confidence_interval(0.95)
    assert ours == pytest.approx(((a - b).mean(), interval.low, interval.high, theirs.pvalue), rel=1e-10)


def test_the_correction_for_shared_samples():
    """Nadeau and Bengio: the variance is s² (1/k + n_test/n_train)."""
    d = np.random.default_rng(1).normal(size=10) + 1
    ours = corrected_resampled_t(d, 0.25)
    t = d.mean() / np.sqrt(d.var(ddof=1) * (1 / 10 + 0.25))
    assert ours.p == pytest.approx(2 * stats.t.sf(abs(t), 9), rel=1e-12)
