import math

import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.nn.convolutions.region import pooled
from windows import conv, drawn, equal, numbers

X = drawn(2, 3, 6, 5)


def kernels_of(layer, x: torch.Tensor, regions: int, out: int) -> np.ndarray:
    """One sample's kernels (regions, out, in, 3, 3), written out from the definition."""
    a, (squeeze, make) = numbers(x), (layer.squeeze, layer.make)
    made = np.zeros((regions, out, 3, 3, 3))
    for i in range(3):
        for j in range(3):
            rows = range(math.floor(i * 6 / 3), math.ceil((i + 1) * 6 / 3))
            columns = range(math.floor(j * 5 / 3), math.ceil((j + 1) * 5 / 3))
            mean = np.array([np.mean([a[c, r, k] for r in rows for k in columns]) for c in range(3)])
            h = numbers(squeeze.weight)[:, :, 0, 0] @ mean + numbers(squeeze.bias)
            h = 1 / (1 + np.exp(-h))
            for t in range(regions):
                part = slice(t * out * 3, (t + 1) * out * 3)
                w = numbers(make.weight)[part, :, 0, 0] @ h[t * regions : (t + 1) * regions]
                made[t, :, :, i, j] = (w + numbers(make.bias)[part]).reshape(out, 3)
    return made


@pytest.mark.parametrize("regions", [1, 3])
@pytest.mark.parametrize("training", [True, False])
def test_each_pixel_takes_its_region_s_kernel(regions, training):
    layer = create("drconv", 3, 4, kernel_size=3, padding=1, regions=regions).double().train(training)
    scores = conv(X, layer.guide.weight, layer.guide.bias, 1, 1)
    y = np.zeros((2, 4, 6, 5))
    for n in range(2):
        kernels = kernels_of(layer, X[n], regions, 4)
        maps = [conv(X[[n]], torch.as_tensor(kernel), None, 1, 1)[0] for kernel in kernels]
        for i in range(6):
            for j in range(5):
                y[n, :, i, j] = maps[int(np.argmax(scores[n, :, i, j]))][:, i, j]
    equal(layer(X), y)


def test_the_guide_learns_as_if_by_softmax():
    layer = create("drconv", 3, 4, kernel_size=3, padding=1, regions=3).double()
    y = layer(X)
    g = drawn(*y.shape, seed=1)
    y.backward(g)
    scores = layer.guide(X).detach()
    maps = torch.stack(
        [
            torch.stack(
                [
                    torch.as_tensor(conv(x[None], torch.as_tensor(k), None, 1, 1)[0])
                    for k in kernels_of(layer, x, 3, 4)
                ]
            )
            for x in X
        ]
    )  # (b, m, o, h, w)
    share = scores.softmax(1)
    gain = (g[:, None] * maps).sum(2)
    slope = share * (gain - (share * gain).sum(1, keepdim=True))
    equal(layer.guide.bias.grad, slope.sum((0, 2, 3)))


def test_in_evaluation_the_guide_has_no_gradient():
    layer = create("drconv", 3, 4, kernel_size=3, padding=1, regions=3).eval()
    layer(X.float()).sum().backward()
    assert layer.guide.weight.grad is None or not layer.guide.weight.grad.any()


@pytest.mark.parametrize("size", [(3, 3), (2, 4), (7, 7)])
def test_pooling_is_pytorch_s_adaptive_one(size):
    equal(pooled(X, size), torch.nn.functional.adaptive_avg_pool2d(X, size))


def test_wrong_words():
    with pytest.raises(UsageError, match="region"):
        create("drconv", 3, 4, kernel_size=3, regions=0)
