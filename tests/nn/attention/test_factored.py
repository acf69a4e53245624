import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from windows import drawn, equal, numbers

from .plain import batch_norm, pointwise, relu, shaken, softmax

X = drawn(2, 4, 3, 5)
FLAT = numbers(X).reshape(2, 4, 15)


def unit(columns):
    return columns / np.maximum(np.sqrt((columns**2).sum(0)), 1e-6)


@pytest.mark.parametrize("name", ["emanet"])
@pytest.mark.parametrize("steps", [1, 3])
def test_expectation_and_maximisation(name, steps):
    layer = shaken(name, channels=4, bases=3, steps=steps)
    v, y = pointwise(layer.inward, FLAT), np.zeros((2, 4, 15))
    for n in range(2):
        mu = numbers(layer.bases)  # (4, 3)
        for _ in range(steps):
            z = softmax(v[n].T @ mu, 1)  # (15, 3)
            mu = unit(np.stack([v[n] @ (z[:, k] / (1e-6 + z[:, k].sum())) for k in range(3)], 1))
        y[n] = mu @ z.T
    added = batch_norm(layer.outward[1], pointwise(layer.outward[0], relu(y))).reshape(2, 4, 3, 5)
    equal(layer(X), numbers(X) + added)


@pytest.mark.parametrize("name", ["emanet"])
def test_bases_follow_the_batch_while_training(name):
    layer = shaken(name, channels=4, bases=3)
    before = layer.bases.clone()
    layer(X)
    assert torch.equal(layer.bases, before)
    fitted, _ = layer.fitted(layer.inward(X).flatten(2))
    layer.train()(X)
    equal(layer.bases, 0.9 * before + 0.1 * fitted.mean(0).detach())


def nearer(factor, wanted, has):
    return factor * wanted / (has + 1e-6)


@pytest.mark.parametrize("name", ["hamburger"])
@pytest.mark.parametrize("one_step", [False, True])
def test_a_product_of_two_thin_matrices(name, one_step):
    layer = shaken(name, channels=4, width=5, bases=3, steps=4, one_step=one_step)
    layer.bases.abs_()
    v, y = relu(pointwise(layer.inward, FLAT)), np.zeros((2, 5, 15))
    for n in range(2):
        d = numbers(layer.bases)
        c = softmax(v[n].T @ d, 1)
        for _ in range(4):
            c = nearer(c, v[n].T @ d, c @ d.T @ d)
            d = nearer(d, v[n] @ c, d @ c.T @ c)
        y[n] = d @ nearer(c, v[n].T @ d, c @ d.T @ d).T
    added = batch_norm(layer.outward[1], pointwise(layer.outward[0], y)).reshape(2, 4, 3, 5)
    equal(layer(X), numbers(X) + added, 1e-9)


@pytest.mark.parametrize("name", ["hamburger"])
def test_the_product_comes_nearer_with_each_round(name):
    v, left = drawn(2, 5, 15).abs(), []
    for steps in (1, 3, 10, 30):
        torch.manual_seed(0)
        layer = create(name, channels=4, width=5, bases=3, steps=steps).double()
        d, c = layer.factors(v)
        assert bool((d >= 0).all()) and bool((c >= 0).all())
        left.append(float((v - d @ c.mT).norm()))
    assert left == sorted(left, reverse=True) and left[-1] < 0.9 * left[0]


@pytest.mark.parametrize("name", ["hamburger"])
def test_the_short_gradient_takes_the_rounds_for_given(name):
    layer = shaken(name, channels=4, width=5, bases=3, steps=2)
    layer.bases.abs_()
    gradients = []
    for one_step in (True, False, None):
        x = X.clone().requires_grad_()
        if one_step is None:  # by hand: two factors from elsewhere, and one more update
            v = torch.relu(layer.inward(x)).flatten(2)
            d, c = (factor.detach() for factor in layer.factors(v))
            last = c * (v.mT @ d) / (c @ d.mT @ d + 1e-6)
            y = x + layer.outward((d @ last.mT).unflatten(2, (3, 5)))
        else:
            layer.one_step = one_step
            y = layer(x)
        gradients += torch.autograd.grad((y * drawn(2, 4, 3, 5, seed=3)).sum(), x)
    equal(gradients[0], gradients[2])
    assert not torch.allclose(gradients[0], gradients[1])


@pytest.mark.parametrize("name", ["emanet", "hamburger"])
def test_wrong_words(name):
    for words in ({"bases": 0}, {"steps": 0}):
        with pytest.raises(UsageError):
            create(name, channels=4, **words)
