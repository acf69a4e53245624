"""The forest student: scikit-learn's own checks, its forest as the reference, and files without pickle."""

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

from torchatlas.learning.distillation import SoftLabelClassifier


@pytest.fixture(scope="module")
def clouds():
    draw = np.random.default_rng(0)
    y = np.arange(150) % 3
    return draw.normal(size=(150, 4)) + np.eye(3, 4)[y], y


def soft(x, y):
    """Probabilities that are larger for the class and depend on the row."""
    scores = np.exp(2 * np.eye(3)[y] + 0.3 * x[:, :3])
    return scores / scores.sum(1, keepdims=True)


REPEATED = "rows that are drawn with repetition are other rows where one weighs double"


def known(estimator):
    return {f"check_sample_weight_equivalence_on_{kind}_data": REPEATED for kind in ("dense", "sparse")}


@parametrize_with_checks([SoftLabelClassifier(n_estimators=5)], expected_failed_checks=known)
def test_scikit_learn_s_checks(estimator, check):
    check(estimator)


def test_on_classes_it_is_a_random_forest(clouds):
    x, y = clouds
    said = {"n_estimators": 20, "random_state": 3, "max_depth": 5}
    ours = SoftLabelClassifier(**said).fit(x, np.eye(3)[y])
    theirs = RandomForestClassifier(**said).fit(x, y)
    assert np.allclose(ours.predict_proba(x), theirs.predict_proba(x), atol=1e-12)
    named = SoftLabelClassifier(**said).fit(x, np.array(["a", "b", "c"])[y])
    assert np.array_equal(named.predict(x), np.array(["a", "b", "c"])[ours.predict(x)])


def test_the_root_makes_the_spread_of_the_probabilities_smallest(clouds):
    x, y = clouds
    p = soft(x, y)
    options = {"n_estimators": 1, "max_depth": 1, "max_features": None, "random_state": 0}
    tree = SoftLabelClassifier(**options).fit(x, p).forest_.estimators_[0]
    drawn = np.random.RandomState(tree.random_state).randint(0, 150, 150)  # the rows that its tree has
    xs, ps = x[drawn], p[drawn]
    costs = {}
    for feature in range(4):
        values = np.unique(xs[:, feature])
        for cut in (values[1:] + values[:-1]) / 2:
            left = xs[:, feature] <= cut
            costs[feature, cut] = sum(len(q) * q.var(axis=0).sum() for q in (ps[left], ps[~left]))
    feature, cut = min(costs, key=costs.get)
    assert tree.tree_.feature[0] == feature
    assert tree.tree_.threshold[0] == pytest.approx(cut, abs=1e-6)


def test_the_forest_is_the_mean_of_its_leaves_distributions(clouds):
    x, y = clouds
    p = soft(x, y)
    model = SoftLabelClassifier(n_estimators=4, min_samples_leaf=5, random_state=0).fit(x, p)
    mean = sum(tree.predict(x) for tree in model.forest_.estimators_) / 4
    assert isinstance(model.forest_.estimators_[0], DecisionTreeRegressor)
    assert np.allclose(model.predict_proba(x), mean, atol=1e-9)
    assert np.allclose(model.predict_proba(x).sum(1), 1, atol=1e-12)
    theirs = RandomForestRegressor(4, min_samples_leaf=5, random_state=0, max_features="sqrt").fit(x, p)
    assert np.allclose(model.predict_proba(x), theirs.predict(x), atol=1e-9)


def test_rows_that_are_no_distribution_are_refused(clouds):
    x, y = clouds
    for wrong in (2 * soft(x, y), soft(x, y) - [[0.9, 0, -0.9]]):
        with pytest.raises(ValueError, match=r"row \d+ of y is no distribution"):
            SoftLabelClassifier().fit(x, wrong)


def test_it_is_saved_without_pickle(clouds):
    x, y = clouds
    model = SoftLabelClassifier(n_estimators=3, random_state=0).fit(x, soft(x, y))
    content = skops.io.dumps(model)
    types = skops.io.get_untrusted_types(data=content)
    foreign = [name for name in types if not name.startswith(("sklearn.", "numpy.", "scipy."))]
    assert foreign == ["torchatlas.learning.distillation.forest.SoftLabelClassifier"]
    again = skops.io.loads(content, trusted=types)
    assert np.array_equal(again.predict_proba(x), model.predict_proba(x))
    assert np.array_equal(again.classes_, model.classes_)
