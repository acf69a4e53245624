import numpy as np

from windows import drawn, equal, numbers

from .plain import pointwise, shaken, softmax


def test_gathered_and_handed_out():
    x, layer = drawn(2, 6, 3, 4), shaken("a2net", channels=6, reduction=2)
    a = numbers(x).reshape(2, 6, 12)
    features = pointwise(layer.feature, a)
    gather, share = softmax(pointwise(layer.gather, a), 2), softmax(pointwise(layer.share, a), 1)
    y = np.zeros((2, 3, 12))
    for n in range(2):
        held = [sum(gather[n, k, i] * features[n, :, i] for i in range(12)) for k in range(3)]
        for i in range(12):
            y[n, :, i] = sum(share[n, k, i] * held[k] for k in range(3))
    equal(layer(x), numbers(x) + pointwise(layer.out, y).reshape(2, 6, 3, 4))
