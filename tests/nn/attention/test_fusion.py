import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from windows import drawn, equal, numbers

from .plain import means, narrowed, shaken, sigmoid

X, Y = drawn(2, 8, 3, 4), drawn(2, 8, 3, 4, seed=1)


def share(gate, u):
    return sigmoid(narrowed(gate.near, u, True, True) + narrowed(gate.far, means(u), True, True))


@pytest.mark.parametrize(("name", "rounds"), [("aff", 1), ("iaff", 2)])
def test_two_maps_are_mixed(name, rounds):
    layer, x, y = shaken(name, channels=8), numbers(X), numbers(Y)
    assert len(layer.weights) == rounds
    mixed = x + y
    for gate in layer.weights:
        m = share(gate, mixed)
        mixed = m * x + (1 - m) * y
    equal(layer(X, Y), mixed)


@pytest.mark.parametrize("name", ["aff", "iaff"])
def test_equal_maps_stay(name):
    layer = shaken(name, channels=8)
    equal(layer(X, X), X)
    x, y = X.clone().requires_grad_(), Y.clone().requires_grad_()
    assert torch.autograd.gradcheck(layer, (x, y), fast_mode=True)
    assert layer.float()(X[:0].float(), Y[:0].float()).shape == (0, 8, 3, 4)


@pytest.mark.parametrize("name", ["aff"])
def test_no_rounds(name):
    with pytest.raises(UsageError, match="rounds"):
        create(name, channels=8, rounds=0)


@pytest.mark.parametrize("name", ["atac"])
def test_an_activation_of_two_convolutions(name):
    layer, x = shaken(name, channels=8), numbers(X)
    assert layer.near[0].out_channels == 4
    equal(layer(X), x * sigmoid(narrowed(layer.near, x, True, True)))
