import numpy as np
import pytest
from sklearn.svm import SVR

from torchatlas import create, find


def test_the_decision_is_a_sum_of_gaussian_bumps():
    random = np.random.default_rng(1)
    x = random.normal(size=(60, 2))
    y = np.where((x**2).sum(1) > 1.5, 1, -1)
    model = create("svm", gamma=0.7, C=2.0).fit(x, y)
    distances = ((x[:, None] - model.support_vectors_[None]) ** 2).sum(-1)
    by_hand = np.exp(-0.7 * distances) @ model.dual_coef_[0] + model.intercept_[0]
    assert model.decision_function(x) == pytest.approx(by_hand, abs=1e-9)
    assert np.abs(model.dual_coef_).max() == pytest.approx(2)  # C bounds what a row on the wrong side weighs
    assert model.score(x, y) > 0.9


def test_its_regressor_is_the_same_machine_for_numbers():
    assert find("svm").regressor == f"{SVR.__module__.rpartition('.')[0]}:{SVR.__name__}"
