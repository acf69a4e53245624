"""A network that predicts numbers, as scikit-learn wants it."""

from typing import Any, Self

from sklearn.base import RegressorMixin
from sklearn.preprocessing import StandardScaler

from .base import AbstractAtlasEstimator
from .inputs import Array


class AtlasRegressor(RegressorMixin, AbstractAtlasEstimator):
    """A network as a scikit-learn regressor."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on rows (n, d) and their values (n,) or (n, k)."""
        X, y, weight = self._read(X, y, sample_weight, numeric=True)
        self.flat_ = y.ndim == 1
        y = y.reshape(len(y), -1)
        on = self.standardize
        self.scaler_ = StandardScaler(with_mean=on, with_std=on).fit(y, sample_weight=weight)
        names = [f"y{k}" for k in range(y.shape[1])]
        return self._fit(X, self.scaler_.transform(y), weight, "regression", names)

    def predict(self, X: Any) -> Array:
        """The values of each row, (n,) or (n, k) as they were in training."""
        outputs = self._outputs(X)
        values: Array = self.scaler_.inverse_transform(outputs)
        return values.ravel() if self.flat_ else values

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
