import math

import numpy as np
import pytest
import torch

from torchatlas.data.spec import Spec
from torchatlas.engine.errors import UsageError
from torchatlas.learning.supervised import Supervised
from torchatlas.networks.convolutional import LeNet5
from torchatlas.study.training.costs import costs_of
from torchatlas.study.training.scores import SCORES, higher_is_better, main_score, score_all

CLASSES = Spec("table", (2,), "classification", 3, ("a", "b", "c"))
Y = np.array([0, 0, 0, 1, 2])
P = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.8, 0.1]])


def test_classification_by_hand():
    found = score_all(CLASSES, Y, P)
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["balanced_accuracy"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert found["log_loss"] == pytest.approx(-sum(map(math.log, (0.7, 0.1, 0.6, 0.5, 0.1))) / 5)
    f1 = {"a": 2 * 1 * (2 / 3) / (1 + 2 / 3), "b": 2 * (1 / 3) / (1 / 3 + 1), "c": 0.0}
    assert found["macro_f1"] == pytest.approx(sum(f1.values()) / 3)


def test_regression_and_labels_by_hand():
    spec = Spec("table", (2,), "regression", 1, ("y",))
    found = score_all(spec, np.array([[1.0], [3.0]]), np.array([[2.0], [5.0]]))
    assert found == pytest.approx({"rmse": math.sqrt(2.5), "mae": 1.5, "mse": 2.5, "r2": 1 - 5 / 2})
    labels = Spec("table", (2,), "multilabel", 2, ("a", "b"))
    found = score_all(labels, np.array([[1, 0], [1, 1]]), np.array([[0.9, 0.4], [0.8, 0.1]]))
    assert (found["label_accuracy"], found["exact_match"]) == (0.75, 0.5)
    wrong = -(math.log(0.9) + math.log(0.6) + math.log(0.8) + math.log(0.1)) / 4
    assert found["log_loss"] == pytest.approx(wrong)


@pytest.mark.parametrize("task", SCORES)
def test_scores_per_sample_have_the_score_as_mean(task):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 50) if task == "classification" else rng.integers(0, 2, (50, 3)).astype(float)
    p = rng.dirichlet([1, 1, 1], 50)
    for score in SCORES[task].values():
        if score.sample is not None:
            assert score.sample(y, p).shape == (50,)
            assert score.sample(y, p).mean() == pytest.approx(score.function(y, p))


def test_which_score_decides():
    assert main_score(CLASSES) == "accuracy" and higher_is_better(CLASSES, "accuracy")
    assert not higher_is_better(CLASSES, "log_loss")
    with pytest.raises(UsageError, match=r"no metric 'acc'.*accuracy"):
        main_score(CLASSES, "acc")


def test_costs_are_the_closed_counts():
    found = costs_of(Supervised(LeNet5()), torch.zeros(1, 1, 28, 28))
    assert (found.parameters, found.macs) == (44_426, 281_640) and found.latency_ms > 0
