"""Floor 9: the scikit-learn face."""

from .classifier import AtlasClassifier as AtlasClassifier
from .regressor import AtlasRegressor as AtlasRegressor
