import math

import numpy as np
import pytest

from torchatlas.data.spec import Spec
from torchatlas.study.training.intervals import Estimate, _of, estimates, estimates_of
from torchatlas.study.training.scores import SCORES, score_all

draw = np.random.default_rng(0)
SPEC = Spec("table", (2,), "classification", 3, ("a", "b", "c"))


def test_an_estimate_is_its_number_with_an_interval():
    one = Estimate(0.5, 0.4, 0.6)
    assert one == 0.5 and one + 1 == 1.5
    assert repr(one) == "0.5 (0.4 to 0.6)"
    assert one.as_json() == {"value": 0.5, "low": 0.4, "high": 0.6}


def test_values_are_the_scores_and_lie_in_their_intervals():
    y = draw.integers(0, 3, 200)
    p = np.eye(3)[y] * 2 + draw.normal(size=(200, 3))
    p = np.exp(p) / np.exp(p).sum(1, keepdims=True)
    found, plain = estimates(SPEC, y, p), score_all(SPEC, y, p)
    assert {name: float(value) for name, value in found.items()} == plain
    assert all(value.low <= value <= value.high for value in found.values())


def test_the_interval_of_a_share_is_the_binomial_one():
    hits = (np.arange(400) < 300).astype(float)
    found = estimates_of({"accuracy": hits})["accuracy"]
    half = 1.96 * math.sqrt(0.75 * 0.25 / 400)
    assert found == 0.75
    assert found.low == pytest.approx(0.75 - half, abs=0.006)
    assert found.high == pytest.approx(0.75 + half, abs=0.006)


def test_intervals_cover_the_truth_as_often_as_they_say():
    """Of the root mean squared error, which is no mean over samples."""
    rmse, covered = SCORES["regression"]["rmse"].function, 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        y = rng.normal(size=(150, 1))
        found = _of(rmse, y, y + rng.normal(size=(150, 1)))
        covered += found.low <= 1 <= found.high
    assert covered >= 51  # 57 expected; 50 or fewer have probability below 0.01


def test_one_sample_and_one_class_do_not_break_it():
    p = np.array([[0.8, 0.1, 0.1]])
    assert estimates(SPEC, np.array([0]), p)["accuracy"] == 1
