import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.datasets import load_digits, load_iris, make_multilabel_classification
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from torchatlas.estimators import AtlasClassifier

X, Y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]


@parametrize_with_checks([AtlasClassifier()])
def test_every_check_of_scikit_learn(estimator, check):
    check(estimator)


def test_digits_are_read():
    train, test, y_train, y_test = train_test_split(*load_digits(return_X_y=True), random_state=0)
    assert AtlasClassifier("mlp", random_state=0).fit(train, y_train).score(test, y_test) >= 0.96


def test_equals_a_loop_written_by_hand():
    model = AtlasClassifier(
        "softmax_regression", options={"steps": 40}, optimizer="sgd", lr=0.5, standardize=False
    )
    model.fit(X, Y)
    weight, bias = np.zeros((4, 3)), np.zeros(3)
    for _ in range(40):
        score = np.exp(X @ weight + bias)
        slope = (score / score.sum(1, keepdims=True) - np.eye(3)[Y]) / len(X)
        weight, bias = weight - 0.5 * X.T @ slope, bias - 0.5 * slope.sum(0)
    score = np.exp(X @ weight + bias)
    assert np.allclose(model.predict_proba(X), score / score.sum(1, keepdims=True), atol=1e-10)


def test_weights_count_as_repeated_rows():
    weight = np.random.default_rng(0).integers(0, 4, size=len(X))
    settings = {"options": {"steps": 20}, "random_state": 0}
    weighted = AtlasClassifier(**settings, batch_size=1000).fit(X, Y, sample_weight=weight)
    repeated = AtlasClassifier(**settings, batch_size=1000).fit(X.repeat(weight, 0), Y.repeat(weight))
    plain = AtlasClassifier(**settings).fit(X, Y)
    assert np.allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-9)
    assert not np.allclose(weighted.predict_proba(X), plain.predict_proba(X), atol=1e-3)


def test_names_of_classes_and_columns():
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = AtlasClassifier(random_state=0).fit(frame, pd.Series(NAMES))
    assert model.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert model.feature_names_in_.tolist() == list("abcd")
    assert model.score(frame, NAMES) > 0.95
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"a": "z"}))


def test_in_a_pipeline_with_frames_through_cross_validation():
    pipe = make_pipeline(MinMaxScaler(), AtlasClassifier("softmax_regression", lr=0.1, random_state=0))
    pipe.set_output(transform="pandas")
    frame = pd.DataFrame(X, columns=list("abcd"))
    assert cross_val_score(pipe, frame, NAMES, cv=3).mean() > 0.9
    assert pipe.fit(frame, NAMES)[-1].feature_names_in_.tolist() == list("abcd")


def test_a_grid_is_searched_in_two_processes():
    grid = {"lr": [1e-6, 0.05], "options": [{"hidden": (8,)}]}
    search = GridSearchCV(AtlasClassifier(random_state=0, epochs=60), grid, cv=2, n_jobs=2).fit(X, Y)
    assert search.best_params_["lr"] == 0.05 and search.best_score_ > 0.9
    assert search.best_estimator_.network_.head.in_features == 8


def test_scores_order_as_probabilities_do():
    two = Y > 0
    model = AtlasClassifier(random_state=0, epochs=5).fit(X[:, :2], two)
    score, probability = model.decision_function(X[:, :2]), model.predict_proba(X[:, :2])[:, 1]
    assert np.allclose(1 / (1 + np.exp(-score)), probability)
    assert roc_auc_score(two, score) == roc_auc_score(two, probability)
    three = AtlasClassifier(random_state=0, epochs=5).fit(X, Y)
    assert np.allclose(np.exp(three.decision_function(X)), three.predict_proba(X))


def test_scores_are_finite_where_probabilities_are_not_told_apart():
    model = AtlasClassifier(random_state=0).fit(X.astype(np.float32), Y == 0)
    with torch.no_grad():
        model.network_.head.weight *= 1000
    assert np.isfinite(model.decision_function(X)).all()


@pytest.mark.parametrize("sparse", [False, True])
def test_several_labels(sparse):
    x, labels = make_multilabel_classification(n_samples=200, n_classes=4, random_state=0)
    model = AtlasClassifier(random_state=0).fit(x, csr_array(labels) if sparse else labels)
    assert model.predict_proba(x).shape == (200, 4) and model.classes_.tolist() == [0, 1, 2, 3]
    assert (model.predict(x) == labels).mean() > 0.95
    hasty = AtlasClassifier(options={"steps": 3}, random_state=0).fit(x, labels)
    assert np.array_equal(hasty.predict(x), hasty.predict_proba(x) > 0.5)
    score = model.decision_function(x)
    assert np.allclose(1 / (1 + np.exp(-score)), model.predict_proba(x))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(150), "one class"),
        (np.c_[Y, Y], "MultiOutputClassifier"),
        (Y + 0.5, "Unknown label type"),
    ],
)
def test_targets_that_are_no_classes(y, message):
    with pytest.raises(ValueError, match=message):
        AtlasClassifier().fit(X, y)


def test_no_row_that_weighs_something():
    with pytest.raises(ValueError, match="weight"):
        AtlasClassifier().fit(X, Y, sample_weight=np.zeros(150))
    with pytest.raises(ValueError, match="one class"):
        AtlasClassifier().fit(X, Y, sample_weight=Y == 1)
