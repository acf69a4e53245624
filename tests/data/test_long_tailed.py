from itertools import pairwise

import numpy as np
import pytest
import torch

from torchatlas.data import long_tail_profile, long_tail_rows
from torchatlas.engine.errors import UsageError

CIFAR10 = (5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50)  # Cui et al.'s, at an imbalance of 100


def test_the_published_profile():
    assert long_tail_profile([5000] * 10, 100) == CIFAR10
    hundred = long_tail_profile([500] * 100, 100)
    assert hundred[0] == 500 and hundred[-1] == 5 and sum(hundred) == 10847


@pytest.mark.parametrize("imbalance", [1, 2, 10, 50, 100, 1000])
def test_the_first_class_has_so_many_times_the_last(imbalance):
    profile = long_tail_profile([1000] * 7, imbalance)
    assert profile[0] == 1000 and profile[-1] == 1000 // imbalance
    assert list(profile) == sorted(profile, reverse=True)
    steps = [a / b for a, b in pairwise(profile)]
    if imbalance <= 10:
        assert max(steps) / min(steps) < 1.02  # a constant factor, but for rounding


def test_no_class_keeps_more_than_it_has_nor_fewer_than_one():
    assert long_tail_profile([100, 20, 0, 100], 10) == (100, 20, 0, 10)
    assert long_tail_profile([10, 10, 10], 1000) == (10, 1, 1)
    assert long_tail_profile([9], 50) == (9,)


def test_rows_are_drawn_by_the_seed_and_larger_tails_hold_smaller_ones():
    labels = np.arange(900) % 3
    rows = long_tail_rows(labels, 10, seed=4)
    assert np.bincount(labels[rows]).tolist() == [300, 94, 30]
    assert (np.diff(rows) > 0).all()
    assert np.array_equal(rows, long_tail_rows(torch.tensor(labels), 10, seed=4))
    assert not np.array_equal(rows, long_tail_rows(labels, 10, seed=5))
    assert set(long_tail_rows(labels, 50, seed=4)) < set(rows)


def test_any_row_of_a_class_is_kept_alike():
    labels = np.arange(60) % 2
    times = sum(np.bincount(long_tail_rows(labels, 3, seed), minlength=60) for seed in range(300))
    assert (times[::2] == 300).all() and (abs(times[1::2] - 100) < 5 * 100**0.5).all()


def test_wrong_words_are_refused():
    for imbalance in (0.5, float("inf")):
        with pytest.raises(UsageError, match="imbalance"):
            long_tail_profile([10, 10], imbalance)
    with pytest.raises(UsageError, match="counts"):
        long_tail_profile([], 10)
    for labels in (np.zeros(3), np.zeros((2, 2), int), np.zeros(0, int)):
        with pytest.raises(UsageError, match="class numbers"):
            long_tail_rows(labels, 10, 0)
