import numpy as np
import pytest

from torchatlas import create, find, get


@pytest.fixture(scope="module")
def table() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(2)
    x = random.normal(size=(120, 3))
    return x, (x[:, 1] + 0.3 * random.normal(size=120) > 0.2).astype(int)


def gini(labels: np.ndarray) -> float:
    shares = np.bincount(labels, minlength=2) / max(len(labels), 1)
    return 1 - float((shares**2).sum())


def test_the_first_question_of_a_tree_makes_the_gini_impurity_smallest(table):
    x, y = table
    root = create("decision_tree", max_depth=1).fit(x, y).tree_
    best = min(
        ((y[m := x[:, f] <= cut].size * gini(y[m]) + y[~m].size * gini(y[~m]), f, cut))
        for f in range(3)
        for cut in (lambda s: (s[1:] + s[:-1]) / 2)(np.sort(x[:, f]))
    )
    assert root.feature[0] == best[1]
    assert root.threshold[0] == pytest.approx(best[2], abs=1e-6)
    assert create("decision_tree").fit(x, y).score(x, y) == 1


def test_a_forest_is_the_mean_of_its_trees(table):
    x, y = table
    forest = create("random_forest", n_estimators=5, random_state=0).fit(x, y)
    mean = sum(tree.predict_proba(x) for tree in forest.estimators_) / 5
    assert np.allclose(forest.predict_proba(x), mean)


def test_one_boosted_stump_is_a_newton_step_on_the_residuals(table):
    x, _ = table
    x = np.round(x, 1)  # few values: every one of them is a bin
    y = np.where(x[:, 0] > 0.05, 3.0, -1.0)
    options = {"max_iter": 1, "max_leaf_nodes": 2, "learning_rate": 0.5, "l2_regularization": 4.0}
    model = _regressor("gradient_boosting")(**options).fit(x, y)
    expected = np.full(len(y), y.mean())
    for side in (x[:, 0] > 0.05, x[:, 0] <= 0.05):
        expected[side] += 0.5 * (y[side] - y.mean()).sum() / (side.sum() + 4.0)
    assert np.allclose(model.predict(x), expected, atol=1e-6)


def _regressor(name: str):
    module, _, thing = find(name).regressor.partition(":")
    return getattr(__import__(module, fromlist=[thing]), thing)


@pytest.mark.parametrize("name", ["decision_tree", "random_forest", "gradient_boosting"])
def test_classes_and_numbers_are_both_learned(name, table):
    x, y = table
    assert get(name)(random_state=0).fit(x, y).score(x, y) > 0.9
    assert _regressor(name)(random_state=0).fit(x, x[:, 1]).score(x, x[:, 1]) > 0.8
