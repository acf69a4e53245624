"""A network that classifies, as scikit-learn wants it."""

from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from .base import AbstractAtlasEstimator
from .inputs import Array


class AtlasClassifier(ClassifierMixin, AbstractAtlasEstimator):
    """A network as a scikit-learn classifier."""

    classes_: Array

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on rows (n, d) and their classes (n,), or 0/1 labels (n, k)."""
        X, y, weight = self._read(X, y, sample_weight, numeric=False)
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y")
        if kind == "multiclass-multioutput":
            raise ValueError(
                "y has several columns of classes: fit one classifier per column (MultiOutputClassifier)"
            )
        self.multilabel_ = kind.startswith("multilabel")
        if self.multilabel_:
            y = y.toarray() if hasattr(y, "toarray") else y
            self.classes_ = np.arange(y.shape[1])
            return self._fit(X, y, weight, "multilabel", self.classes_)
        self.classes_, numbers = np.unique(column_or_1d(y, warn=True), return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"y holds one class, {self.classes_[0]!r}: a classifier needs at least two classes"
            )
        return self._fit(X, numbers, weight, "classification", self.classes_)

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class, or of each label: (n, k)."""
        return self._outputs(X)

    def predict(self, X: Any) -> Array:
        """The most probable class of each row, or its 0/1 labels."""
        probability = self._outputs(X)
        if self.multilabel_:
            return (probability > 0.5).astype(np.int64)
        return self.classes_[probability.argmax(axis=1)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
