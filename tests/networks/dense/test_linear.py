import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.linear_model import (
    LinearRegression as SklearnLinear,
    LogisticRegression as SklearnLogistic,
    Perceptron as SklearnPerceptron,
)
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot

from torchatlas.cards.reader import catalog, create
from torchatlas.engine.errors import UsageError
from torchatlas.losses import PerceptronLoss
from torchatlas.networks.dense import LinearRegression, LogisticRegression, Perceptron, SoftmaxRegression


def doubles(*arrays: np.ndarray) -> list[Tensor]:
    return [torch.from_numpy(np.ascontiguousarray(a, dtype=np.float64)) for a in arrays]


def minimise(loss, parameters, steps: int = 60) -> None:
    optimizer = torch.optim.LBFGS(
        parameters,
        max_iter=steps * 10,
        tolerance_grad=1e-12,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def closure():
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    optimizer.step(closure)


def test_linear_regression_in_closed_form_is_least_squares():
    x, y = doubles(*load_diabetes(return_X_y=True))
    net = LinearRegression(10, 1).double().solve_(x, y)
    residual = (y - net(x)[:, 0]).detach()
    augmented = torch.cat([x, torch.ones(len(x), 1)], 1)
    assert float((augmented.mT @ residual).norm() / (augmented.norm() * residual.norm())) < 1e-12
    assert 1 - float(residual.square().sum() / (y - y.mean()).square().sum()) == pytest.approx(
        0.51775, abs=1e-5
    )
    reference = SklearnLinear().fit(x.numpy(), y.numpy())
    np.testing.assert_allclose(net.head.weight.detach()[0], reference.coef_, rtol=1e-8)


def test_linear_regression_in_closed_form_takes_columns_that_depend_on_each_other():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(30, 3, generator=generator, dtype=torch.double)
    x, y = torch.cat([x, x[:, :1]], 1), x @ torch.tensor([[1.0], [2.0], [3.0]], dtype=torch.double) + 5
    net = LinearRegression(4).double().solve_(x, y)
    torch.testing.assert_close(net(x), y)
    torch.testing.assert_close(
        net.head.weight.detach()[0, [0, 3]], torch.tensor([0.5, 0.5], dtype=torch.double)
    )


def test_linear_regression_descends_to_the_closed_form():
    x, y = doubles(*load_diabetes(return_X_y=True))
    x, y = x / x.std(0), ((y - y.mean()) / y.std())[:, None]
    net = LinearRegression(10).double()
    minimise(lambda: (net(x) - y).square().mean() / 2, net.parameters())
    closed = LinearRegression(10).double().solve_(x, y)
    torch.testing.assert_close(net.head.weight, closed.head.weight, rtol=0, atol=1e-6)


def test_softmax_regression_starts_at_the_logarithm_of_the_classes():
    net = SoftmaxRegression(4, 10)
    loss = cross_entropy(net(torch.randn(3, 4)), torch.tensor([1, 2, 3]))
    assert loss.item() == pytest.approx(math.log(10))


def test_softmax_regression_has_the_gradient_p_minus_y():
    logits = torch.randn(5, 4, dtype=torch.double, requires_grad=True)
    y = torch.tensor([0, 1, 2, 3, 0])
    cross_entropy(logits, y, reduction="sum").backward()
    torch.testing.assert_close(logits.grad, (logits.softmax(1) - one_hot(y, 4)).detach(), rtol=0, atol=1e-12)


def test_softmax_regression_has_scikit_learn_s_optimum():
    data, labels = load_digits(return_X_y=True)
    data, labels, penalty = data[:400] / 16, labels[:400], 0.01
    x, y = doubles(data)[0], torch.from_numpy(labels)
    net = SoftmaxRegression(64, 10).double()
    minimise(
        lambda: cross_entropy(net(x), y) + penalty / 2 * net.head.weight.square().sum(),
        net.parameters(),
        steps=200,
    )
    reference = SklearnLogistic(C=1 / (len(x) * penalty), tol=1e-8, max_iter=2000).fit(data, labels)
    np.testing.assert_allclose(net.head.weight.detach(), reference.coef_, atol=1e-5)


def test_logistic_regression_is_softmax_regression_on_two_classes():
    binary, softmax = LogisticRegression(6).double(), SoftmaxRegression(6, 2).double()
    torch.nn.init.normal_(softmax.head.weight)
    torch.nn.init.normal_(softmax.head.bias)
    with torch.no_grad():
        binary.head.weight.copy_(softmax.head.weight[1:] - softmax.head.weight[:1])
        binary.head.bias.copy_(softmax.head.bias[1:] - softmax.head.bias[:1])
    x = torch.randn(7, 6, dtype=torch.double)
    torch.testing.assert_close(binary(x).softmax(1), softmax(x).softmax(1), rtol=0, atol=1e-12)
    y = torch.tensor([0, 1, 1, 0, 1, 0, 0])
    score = binary.head(x)[:, 0]
    expected = binary_cross_entropy_with_logits(score, y.double())
    torch.testing.assert_close(cross_entropy(binary(x), y), expected, rtol=0, atol=1e-12)


def test_logistic_regression_refuses_three_classes_and_names_the_cure():
    with pytest.raises(UsageError, match="softmax_regression"):
        LogisticRegression(4, 3)


def train_perceptron(x: Tensor, y: Tensor, classes: int, epochs: int) -> tuple[Perceptron, int]:
    """Rosenblatt's rule by autograd: also the number of corrections of the last class's weights."""
    net, loss = Perceptron(x.shape[1], classes).double(), PerceptronLoss()
    optimizer, corrections = torch.optim.SGD(net.parameters(), lr=1.0), 0
    for _ in range(epochs):
        for row, label in zip(x.split(1), y.split(1), strict=True):
            optimizer.zero_grad()
            loss(net(row), label).backward()
            corrections += bool(net.head.bias.grad[-1])
            optimizer.step()
    return net, corrections


@pytest.mark.parametrize("epochs", [1, 3])
@pytest.mark.parametrize("load", [load_breast_cancer, load_digits])
def test_perceptron_is_scikit_learn_s_bit_for_bit(load, epochs):
    data, labels = load(return_X_y=True)
    data, labels = data[:250], labels[:250]
    classes = len(np.unique(labels))
    net, _ = train_perceptron(doubles(data)[0], torch.from_numpy(labels), classes, epochs)
    reference = SklearnPerceptron(shuffle=False, eta0=1, penalty=None, tol=None, max_iter=epochs).fit(
        data, labels
    )
    weight, bias = net.head.weight.detach().numpy(), net.head.bias.detach().numpy()
    if classes == 2:
        np.testing.assert_array_equal(weight[0], -weight[1])
        weight, bias = weight[1:], bias[1:]
    np.testing.assert_array_equal(weight, reference.coef_)
    np.testing.assert_array_equal(bias, reference.intercept_)


def test_perceptron_keeps_novikoff_s_bound():
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(80, 2, generator=generator, dtype=torch.double)
    direction = torch.tensor([0.6, 0.8], dtype=torch.double)
    x = x[(x @ direction).abs() > 0.2]
    y = (x @ direction > 0).long()
    net, corrections = train_perceptron(x, y, 2, 10)
    assert (net(x).argmax(1) == y).all()
    radius, margin = float((x.square().sum(1) + 1).sqrt().max()), float((x @ direction).abs().min())
    assert 0 < corrections <= (radius / margin) ** 2
    assert train_perceptron(x, y, 2, 15)[1] == corrections  # separated: nothing is corrected any more


def test_perceptron_never_learns_xor():
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], dtype=torch.double)
    y = torch.tensor([0, 1, 1, 0])
    net, corrections = train_perceptron(x, y, 2, 50)
    assert corrections >= 50
    assert not (net(x).argmax(1) == y).all()


@pytest.mark.parametrize("name", ["linear_regression", "softmax_regression", "perceptron"])
def test_images_are_flattened(name):
    assert create(name, in_features=12, num_classes=3)(torch.zeros(2, 3, 2, 2)).shape == (2, 3)


def test_the_perceptron_s_recipe_is_its_rule():
    recipe = catalog()["perceptron"].recipe
    assert (recipe["optimizer"], recipe["batch_size"], recipe["loss"]) == ("sgd", 1, "perceptron_loss")
