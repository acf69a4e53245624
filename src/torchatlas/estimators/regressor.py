"""A network that predicts numbers, as scikit-learn wants it."""

from typing import Any, Self

from sklearn.base import RegressorMixin
from sklearn.preprocessing import StandardScaler

from .base import AbstractAtlasEstimator
from .inputs import Array


class AtlasRegressor(RegressorMixin, AbstractAtlasEstimator):
    """A network as a scikit-learn regressor, of one or several values.

    Rows of float32 train a network of float32, any other numbers one of float64. Sample weights count as
    repeated rows do while all rows are one batch; in smaller batches they are normalised per batch.
    Learned: `network_` (the module, whose outputs are standardised), `learner_` (with its loss), `history_`
    (the record's lines), `n_iter_` (steps), `n_features_in_`, and `feature_names_in_` of named columns.
    Raises ValueError for data or parameters that do not fit, and for a loss that is not finite.

    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = AtlasRegressor("linear_regression", random_state=0).fit(X, y)
    >>> round(model.score(X, y), 2)
    0.51
    """

    outputs_2d_: bool

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on rows (n, d) and their values (n,) or (n, k)."""
        X, y, weight = self._read(X, y, sample_weight, numeric=True)
        self.outputs_2d_ = y.ndim == 2
        y = y.reshape(len(y), -1)
        on = self.standardize
        self.scaler_ = StandardScaler(with_mean=on, with_std=on).fit(y, sample_weight=weight)
        names = [f"y{k}" for k in range(y.shape[1])]
        return self._fit(X, self.scaler_.transform(y), weight, "regression", names)

    def predict(self, X: Any) -> Array:
        """The values of each row, (n,) or (n, k) as they were in training."""
        outputs = self._outputs(X)
        values: Array = self.scaler_.inverse_transform(outputs)
        return values if self.outputs_2d_ else values.ravel()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
