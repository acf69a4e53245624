import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from windows import conv, drawn, equal, numbers

from .plain import batch_norm, means, narrowed, relu, shaken, sigmoid

X = drawn(2, 4, 8, 6)


def nearest(x, size):
    rows = [i * x.shape[2] // size[0] for i in range(size[0])]
    columns = [j * x.shape[3] // size[1] for j in range(size[1])]
    return x[:, :, rows][..., columns]


def test_over_the_whole_map_without_parameters_it_is_the_sigmoid_of_the_mean():
    layer, x = create("genet", channels=4), numbers(X)
    equal(layer(X), x * sigmoid(means(x)))
    assert not list(layer.parameters())


@pytest.mark.parametrize("extent", [2, 3])
def test_means_of_windows_that_overlap(extent):
    x, reach = numbers(X), extent - 1
    rows, columns = range(0, 8, extent), range(0, 6, extent)
    found = np.zeros((2, 4, len(rows), len(columns)))
    for a, i in enumerate(rows):
        for b, j in enumerate(columns):
            window = x[:, :, max(0, i - reach) : i + reach + 1, max(0, j - reach) : j + reach + 1]
            found[:, :, a, b] = window.mean((2, 3))
    layer = create("genet", channels=4, extent=extent)
    equal(layer(X), x * nearest(sigmoid(found), (8, 6)))


def learned(layer, x):
    """Strided convolutions with a norm each, and ReLU between them; one without a stride over a whole map."""
    convs = [m for m in layer.gather if isinstance(m, torch.nn.Conv2d)]
    norms = [m for m in layer.gather if isinstance(m, torch.nn.BatchNorm2d)]
    halves = layer.extent > 0
    for k, (one, norm) in enumerate(zip(convs, norms, strict=True)):
        stride, padding = (2, 1) if halves else (1, 0)
        x = conv(torch.as_tensor(relu(x) if k else x), one.weight, None, stride, padding, 1, 4)
        x = batch_norm(norm, x)
    return x


@pytest.mark.parametrize(
    ("name", "extent"), [("genet_theta", 2), ("genet_theta", 4), ("genet_theta_plus", 4)]
)
def test_gathering_is_learned(name, extent):
    layer, x = shaken(name, channels=4, extent=extent), numbers(X)
    found = learned(layer, x)
    assert found.shape == (2, 4, 8 // extent, -(-6 // extent))
    if name == "genet_theta_plus":
        found = narrowed(layer.mix, found)
    equal(layer(X), x * nearest(sigmoid(found), (8, 6)))


@pytest.mark.parametrize("name", ["genet_theta", "genet_theta_plus"])
def test_a_whole_map_is_gathered_by_one_convolution(name):
    layer, x = shaken(name, channels=4, extent=0, size=(8, 6)), numbers(X)
    found = learned(layer, x)
    equal(layer(X), x * sigmoid(narrowed(layer.mix, found) if layer.mix else found))


def test_wrong_words():
    for words in ({"form": "alpha"}, {"form": "theta"}, {"form": "theta", "extent": 3}):
        with pytest.raises(UsageError):
            create("genet", channels=4, **words)
