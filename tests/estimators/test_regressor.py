import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold, cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from torchatlas.estimators import AtlasRegressor

X, Y = load_diabetes(return_X_y=True)


@parametrize_with_checks([AtlasRegressor()])
def test_every_check_of_scikit_learn(estimator, check):
    check(estimator)


def test_diabetes_as_well_as_a_linear_model():
    cut = KFold(4, shuffle=True, random_state=0)
    exact = cross_val_score(LinearRegression(), X, Y, cv=cut).mean()
    assert (
        cross_val_score(AtlasRegressor("linear_regression", random_state=0), X, Y, cv=cut).mean()
        > exact - 0.01
    )
    assert (
        cross_val_score(AtlasRegressor("mlp", patience=10, random_state=0), X, Y, cv=cut).mean()
        > exact - 0.06
    )


def test_reaches_least_squares_on_the_original_scale():
    settings = {"options": {"steps": 2000}, "optimizer": "sgd", "lr": 0.2, "batch_size": 1000}
    model = AtlasRegressor("linear_regression", **settings).fit(X[:, :4], Y)
    assert np.allclose(
        model.predict(X[:, :4]), LinearRegression().fit(X[:, :4], Y).predict(X[:, :4]), atol=1e-3
    )


def test_weights_are_those_of_weighted_least_squares():
    weight = np.random.default_rng(0).uniform(size=len(X)) * (np.arange(len(X)) % 3)
    settings = {"options": {"steps": 2000}, "optimizer": "sgd", "lr": 0.2, "batch_size": 1000}
    model = AtlasRegressor("linear_regression", **settings).fit(X[:, :4], Y, sample_weight=weight)
    exact = LinearRegression().fit(X[:, :4], Y, sample_weight=weight)
    assert np.allclose(model.predict(X[:, :4]), exact.predict(X[:, :4]), atol=1e-3)


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_predictions_have_the_shape_of_the_targets(shape):
    y = Y.reshape(shape)
    assert AtlasRegressor(options={"steps": 2}).fit(X, y).predict(X).shape == y.shape


def test_several_values_at_once():
    y = np.c_[Y, 1000 * X[:, 2] - 5, np.full(len(X), 3.0)]
    prediction = AtlasRegressor(random_state=0, epochs=60).fit(X, y).predict(X)
    assert prediction.shape == y.shape
    assert np.corrcoef(prediction[:, 1], y[:, 1])[0, 1] > 0.99
    assert np.abs(prediction[:, 2] - 3).max() < 1


def test_without_standardising_the_network_sees_raw_numbers():
    model = AtlasRegressor("linear_regression", options={"steps": 1}, standardize=False, random_state=0).fit(
        X, Y
    )
    head = model.network_.head
    raw = X @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    assert np.allclose(model.predict(X), raw.ravel())
