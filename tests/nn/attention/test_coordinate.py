import numpy as np

from torchatlas import create
from windows import drawn, equal, numbers

from .plain import batch_norm, pointwise, shaken, sigmoid


def test_rows_and_columns():
    x, layer = drawn(2, 5, 4, 6) * 2, shaken("coord_attention", channels=5)
    a = numbers(x)
    gates = []
    for means, last in ((a.mean(3), layer.rows), (a.mean(2), layer.columns)):
        z = batch_norm(layer.reduce[1], pointwise(layer.reduce[0], means[..., None]))
        z = z * np.clip(z + 3, 0, 6) / 6
        gates.append(sigmoid(pointwise(last, z))[..., 0])
    equal(layer(x), a * gates[0][..., None] * gates[1][:, :, None])


def test_eight_channels_at_least():
    assert create("coord_attention", channels=64).rows.in_channels == 8
    assert create("coord_attention", channels=512).rows.in_channels == 16
