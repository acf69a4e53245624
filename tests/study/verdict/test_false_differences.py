"""Two equal methods: how often is a difference claimed? At most 6 % (5 % by design)."""

import numpy as np
import pytest

from torchatlas.study.verdict.statistics import compare_all, corrected_resampled_t, paired_bootstrap

SEEDS = 5
MOST = 0.06


def share_of_false_differences(p):
    return np.mean(np.asarray(p) < 0.05)


def splits(rng, samples, test):
    """Masks (seeds, samples) of random test parts of one pool."""
    order = rng.permuted(np.tile(np.arange(samples), (SEEDS, 1)), axis=1)
    return order < test


def learned_correctness(feature, labels, is_test):
    """Correctness (seeds, samples) of a threshold between the class means of each split's training part."""
    train = ~is_test
    high = (train * labels * feature).sum(1) / np.maximum((train * labels).sum(1), 1)
    low = (train * (1 - labels) * feature).sum(1) / np.maximum((train * (1 - labels)).sum(1), 1)
    return (feature[None, :] > (high + low)[:, None] / 2) == labels


def redrawn_differences(rng, samples=120, test=30):
    """Two learners that see one feature each, the features alike: equally good by symmetry."""
    labels = rng.integers(0, 2, samples)
    features = 1.2 * labels + rng.normal(size=(2, samples))
    is_test = splits(rng, samples, test)
    first, second = (learned_correctness(f, labels, is_test) for f in features)
    return ((first ^ second) * np.where(first, 1, -1) * is_test).sum(1) / test


def test_redrawn_splits_of_one_pool():
    rng = np.random.default_rng(0)
    differences = [redrawn_differences(rng) for _ in range(3000)]
    corrected = share_of_false_differences([corrected_resampled_t(d, 30 / 90).p for d in differences])
    plain = share_of_false_differences([corrected_resampled_t(d, 0.0).p for d in differences])
    assert corrected <= MOST
    assert plain > 2 * MOST  # the simulation has the dependence that the correction is for


def correctness(rng, samples, shared, own, seed_effect, flips):
    """Correctness (seeds, samples) of one method on a fixed test set, from a score that must be positive."""
    score = 1.0 + shared + rng.normal(0, own, samples) + rng.normal(0, seed_effect, (SEEDS, 1))
    return (score + rng.normal(0, flips, (SEEDS, samples)) > 0).astype(float)


def fixed_differences(rng, own, seed_effect, flips):
    shared = rng.normal(0, 0.7, 150)  # what makes a sample hard for both
    first, second = (correctness(rng, 150, shared, own, seed_effect, flips) for _ in range(2))
    return first - second


@pytest.mark.parametrize(
    ("own", "seed_effect", "flips"),
    [(0.0, 0.3, 0.5), (1.0, 0.0, 0.0), (0.7, 0.1, 0.3), (0.0, 0.0, 1.0), (1.0, 0.5, 0.5)],
    ids=["seeds", "samples", "both", "flips", "all"],
)
def test_fixed_test_set(own, seed_effect, flips):
    rng = np.random.default_rng(1)
    p = [paired_bootstrap(fixed_differences(rng, own, seed_effect, flips)).p for _ in range(2000)]
    assert share_of_false_differences(p) <= MOST


def test_seeds_alone_miss_the_chance_in_a_fixed_test_set():
    rng = np.random.default_rng(1)
    differences = [fixed_differences(rng, 0.7, 0.1, 0.3).mean(1) for _ in range(500)]
    assert share_of_false_differences([corrected_resampled_t(d, 0.0).p for d in differences]) > 2 * MOST


def test_three_equal_methods_in_one_comparison():
    rng = np.random.default_rng(2)
    false = 0
    for _ in range(500):
        labels = rng.integers(0, 2, 120)
        is_test = splits(rng, 120, 30)
        right = [learned_correctness(1.2 * labels + rng.normal(size=120), labels, is_test) for _ in range(3)]
        scores = {name: (r * is_test).sum(1) / 30 for name, r in zip("abc", right, strict=True)}
        verdict = compare_all(scores, n_train=90, n_test=30, redrawn=True)
        false += any(pair.real for pair in verdict.pairs)
    assert false / 500 <= MOST
