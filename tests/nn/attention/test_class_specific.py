import numpy as np
import pytest

from torchatlas import create
from torchatlas.engine.errors import UsageError
from windows import drawn, equal, numbers

from .plain import shaken, softmax


@pytest.mark.parametrize("temperature", [1.0, 4.0, float("inf")])
def test_where_a_class_is_seen_best(temperature):
    x = drawn(2, 5, 3, 4)
    layer = shaken("csra", channels=5, num_classes=3, lambda_=0.3, temperature=temperature)
    a, y = numbers(x).reshape(2, 5, 12), np.zeros((2, 3))
    for n, c in np.ndindex(2, 3):
        row = numbers(layer.classes.weight)[c, :, 0, 0]
        scores = np.array([row @ a[n, :, i] for i in range(12)]) / np.sqrt((row**2).sum())
        best = scores.max() if temperature == float("inf") else softmax(temperature * scores, 0) @ scores
        y[n, c] = scores.mean() + 0.3 * best
    equal(layer(x), y)


def test_no_temperature():
    with pytest.raises(UsageError, match="temperature"):
        create("csra", channels=4, num_classes=3, temperature=0)
