from sklearn.utils.estimator_checks import parametrize_with_checks

from torchatlas.estimators import AtlasClassifier, AtlasRegressor


@parametrize_with_checks([AtlasClassifier(), AtlasRegressor()])
def test_every_check_of_scikit_learn(estimator, check):
    check(estimator)
