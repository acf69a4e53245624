import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss

from torchatlas.engine.errors import UsageError
from torchatlas.losses.penalties import GradientPenaltyInputs, GradientPenaltyParams

X = torch.tensor([[0.5, -1.0], [2.0, 0.3], [-0.7, 1.1]], dtype=torch.double)
Y = torch.tensor([[0.2], [-0.4], [1.0]], dtype=torch.double)


def line():
    layer = nn.Linear(2, 1).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.8, -0.5]], dtype=torch.double))
        layer.bias.fill_(0.1)
    return layer


def errors():
    return [0.8 * a - 0.5 * b + 0.1 - y for (a, b), (y,) in zip(X.tolist(), Y.tolist(), strict=True)]


def loss(prediction):
    return mse_loss(prediction, Y)


def test_the_gradient_by_weights_of_a_line():
    e = errors()
    slope = [2 / 3 * sum(err * row[k] for err, row in zip(e, X.tolist(), strict=True)) for k in (0, 1)]
    expected = 0.3 * (sum(g * g for g in slope) + (2 / 3 * sum(e)) ** 2)
    layer = line()
    assert GradientPenaltyParams(0.3)(layer, X, layer(X), loss).item() == pytest.approx(expected, rel=1e-10)


def test_the_gradient_by_inputs_of_a_line():
    e = errors()
    expected = 0.3 * sum((2 * err) ** 2 * (0.8**2 + 0.5**2) for err in e) / 3
    layer = line()
    assert GradientPenaltyInputs(0.3)(layer, X, layer(X), loss).item() == pytest.approx(expected, rel=1e-10)


def test_to_the_first_order_it_is_training_on_moved_inputs():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 1)).double()
    x = X.clone().requires_grad_()
    each = (network(x) - Y).square()[:, 0]
    (slope,) = torch.autograd.grad(each.sum(), x)
    plain = loss(network(X)).item()
    rest = []
    for epsilon in (1e-3, 5e-4):
        moved = loss(network(X + epsilon * slope)).item()
        rest.append(moved - plain - GradientPenaltyInputs(epsilon)(network, X, network(X), loss).item())
    assert rest[0] / rest[1] == pytest.approx(4, rel=0.05)  # what is left goes with the square


def test_descent_follows_the_loss_with_a_quarter_of_the_penalty():
    """On a parabola a w²/2 the flow of L + h/4 |∇L|² and a step of size h agree to the third order in h."""
    a, w0, rest = 1.7, 0.9, []
    for h in (0.02, 0.01):
        layer = nn.Linear(1, 1, bias=False).double()
        with torch.no_grad():
            layer.weight.fill_(w0)

        def parabola(scores, layer=layer):
            return a * layer.weight.square().sum() / 2

        value = GradientPenaltyParams(h / 4)(layer, X[:, :1], layer(X[:, :1]), parabola)
        (value + parabola(None)).backward()
        rate = layer.weight.grad.item() / w0  # the flow of a parabola is exponential
        rest.append(w0 * (1 - h * a) - w0 * 2.718281828459045 ** (-h * rate))
    assert rest[0] / rest[1] == pytest.approx(8, rel=0.1)


def test_weights_take_the_second_derivative():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    for penalty in (GradientPenaltyInputs(0.5), GradientPenaltyParams(0.5)):
        weight = network[0].weight
        (slope,) = torch.autograd.grad(penalty(network, X, network(X), loss), weight)
        for place in ((0, 0), (3, 1)):
            values = []
            for step in (1e-5, -1e-5):
                with torch.no_grad():
                    weight[place] += step
                values.append(penalty(network, X, network(X), loss).item())
                with torch.no_grad():
                    weight[place] -= step
            assert slope[place].item() == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-5, abs=1e-8)


def test_without_gradients_around_it_and_with_whole_numbers():
    layer = line()
    with torch.no_grad():
        assert GradientPenaltyParams()(layer, X, layer(X), loss).item() > 0
        assert GradientPenaltyInputs()(layer, X, layer(X), loss).item() > 0
    with pytest.raises(UsageError, match="whole numbers"):
        GradientPenaltyInputs()(layer, X.long(), layer(X), loss)
    assert "whole batch" in GradientPenaltyParams().indivisible and not GradientPenaltyInputs().indivisible
