"""Distillation by soft labels, with a random forest as the student."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestRegressor
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_is_fitted, column_or_1d, validate_data

from ...cards.card import method

Array = np.ndarray[Any, Any]
ROUNDING = 1e-3  # by how much a row of probabilities may miss 1


@method(
    "student_random_forest",
    kind="estimator",
    year=2006,
    paper="Bucila, Caruana & Niculescu-Mizil, KDD 2006",
    topics=("classification", "distillation"),
    tiny={"n_estimators": 10, "random_state": 0},
)
class SoftLabelClassifier(ClassifierMixin, BaseEstimator):
    r"""Random-forest student: trees that regress on a teacher's class probabilities, all classes at once.

    A leaf holds the mean of its rows' distributions, the forest the mean of its leaves. A split makes
    $\sum_k \mathrm{Var}(p_k)$ smallest, which for classes themselves (one 1 in each row) is the Gini
    impurity: fitted to classes it is a random forest. Rows may have no label, as the teacher gives it.
    Learned: `forest_`, `classes_` (0 to k-1 for probabilities), `n_features_in_`.
    """

    def __init__(
        self,
        n_estimators: int = 100,
        max_depth: int | None = None,
        min_samples_leaf: int = 1,
        max_features: str | float | None = "sqrt",
        n_jobs: int | None = None,
        random_state: Any = None,
        teacher: Callable[[Array], Array] | None = None,
    ):
        """As in scikit-learn's random forests; a teacher's probabilities for X take the place of y."""
        self.n_estimators = n_estimators
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf
        self.max_features = max_features
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.teacher = teacher

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Grow the trees on rows (n, d) and their class probabilities (n, k), or their classes (n,).

        Raises ValueError for rows of y that are no probabilities.
        """
        X, y = validate_data(self, X, y, multi_output=True)
        y = y if self.teacher is None else self.teacher(X)
        if y.ndim == 2 and y.shape[1] > 1:
            self.classes_, p = np.arange(y.shape[1]), _probabilities(y)
        else:
            y = column_or_1d(y, warn=True)
            check_classification_targets(y)
            self.classes_, numbers = np.unique(y, return_inverse=True)
            p = np.eye(len(self.classes_))[numbers]
        forest = RandomForestRegressor(**{k: v for k, v in self.get_params().items() if k != "teacher"})
        self.forest_ = forest.fit(X, p if p.shape[1] > 1 else p[:, 0], sample_weight=sample_weight)
        return self

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class: (n, k)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        p: Array = self.forest_.predict(X).reshape(len(X), -1)
        return p / p.sum(axis=1, keepdims=True)

    def predict(self, X: Any) -> Array:
        """The most probable class of each row."""
        best = self.predict_proba(X).argmax(axis=1)
        chosen: Array = self.classes_[best]
        return chosen


def _probabilities(y: Array) -> Array:
    """Checked rows, each divided by its sum."""
    p: Array = check_array(y, dtype=np.float64, input_name="y")
    sums = p.sum(axis=1, keepdims=True)
    wrong = np.flatnonzero((p < 0).any(axis=1) | (np.abs(sums[:, 0] - 1) > ROUNDING))
    if len(wrong):
        raise ValueError(f"row {wrong[0]} of y is no distribution over classes: {p[wrong[0]]}")
    return p / sums
