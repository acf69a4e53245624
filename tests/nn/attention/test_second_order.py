import numpy as np

from windows import drawn, equal, numbers

from .plain import batch_norm, narrowed, pointwise, shaken, sigmoid


def test_rows_of_the_covariance_weight_the_channels():
    x, layer = drawn(2, 5, 4, 3), shaken("gsop", channels=5, hidden=3)
    a = numbers(x)
    few = narrowed(layer.reduce, a, norm=True).reshape(2, 3, -1)
    covariance = np.stack([np.cov(rows, bias=True) for rows in few])[..., None]  # (b, 3, 3, 1)
    rows = batch_norm(layer.norm, covariance)
    w, b = numbers(layer.rows.weight), numbers(layer.rows.bias)  # (12, 1, 3, 1), (12,)
    numbers_of_rows = np.zeros((2, 12, 1, 1))
    for n, o in np.ndindex(2, 12):
        numbers_of_rows[n, o] = sum(w[o, 0, k, 0] * rows[n, o // 4, k, 0] for k in range(3)) + b[o]
    equal(layer(x), a * sigmoid(pointwise(layer.widen, numbers_of_rows)))
