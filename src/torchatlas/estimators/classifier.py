"""A network that classifies, as scikit-learn wants it."""

from typing import Any, Self

import numpy as np
from scipy.sparse import issparse
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from .base import AbstractAtlasEstimator
from .inputs import Array


class AtlasClassifier(ClassifierMixin, AbstractAtlasEstimator):
    """A network as a scikit-learn classifier, of two or more classes or of several labels.

    Rows of float32 train a network of float32, any other numbers one of float64. Sample weights count as
    repeated rows do while all rows are one batch; in smaller batches they are normalised per batch.
    Learned: `classes_`, `network_` (the module), `learner_` (with its loss), `history_` (the record's lines),
    `n_iter_` (steps), `n_features_in_`, and `feature_names_in_` where the columns have names.
    Raises ValueError for data or parameters that do not fit, and for a loss that is not finite.

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> AtlasClassifier("mlp", options={"hidden": (16,)}, random_state=0).fit(X, y).predict(X[:3])
    array([0, 0, 0])
    """

    classes_: Array
    multilabel_: bool

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on rows (n, d) and their classes (n,), or labels (n, k) of 0 and 1."""
        X, y, weight = self._read(X, y, sample_weight, numeric=False)
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y")
        if kind == "multiclass-multioutput":
            raise ValueError("y has several columns of classes: fit one for each, with MultiOutputClassifier")
        self.multilabel_ = kind == "multilabel-indicator"
        if self.multilabel_:
            y = y.toarray() if issparse(y) else y
            self.classes_ = np.arange(y.shape[1])
            return self._fit(X, y, weight, "multilabel", self.classes_)
        self.classes_, numbers = np.unique(column_or_1d(y, warn=True), return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y holds one class, {self.classes_[0]!r}: a classifier needs two or more")
        return self._fit(X, numbers, weight, "classification", self.classes_)

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class, or of each label: (n, k)."""
        return self._outputs(X)

    def decision_function(self, X: Any) -> Array:
        """Log-probabilities (n, k); the log-odds of the second of two classes (n,), of each label (n, k)."""
        probability = self._outputs(X)
        tiny = np.finfo(probability.dtype).tiny
        scores: Array = np.log(probability.clip(tiny))
        if self.multilabel_:
            return scores - np.log((1 - probability).clip(tiny))
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: Any) -> Array:
        """The most probable class of each row, or its labels of 0 and 1."""
        probability = self._outputs(X)
        if self.multilabel_:
            return (probability > 0.5).astype(np.int64)
        return self.classes_[probability.argmax(axis=1)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
