from itertools import chain
from math import exp, log

import pytest
import torch
import torch.nn.functional as F

from torchatlas.engine.errors import UsageError
from torchatlas.losses.long_tailed import FocalLoss, SigmoidFocalLoss

SCORES, TARGET = [[2.0, 1.0, 0.0], [-1.0, 0.5, 3.0], [0.3, 0.2, 0.1]], [2, 2, 0]


def softmax(z):
    return [exp(x) / sum(map(exp, z)) for x in z]


def sigmoid(x):
    return 1 / (1 + exp(-x))


def double(values):
    return torch.tensor(values, dtype=torch.double)


def test_the_published_value():
    loss = FocalLoss(gamma=2)(double([[2.0, 1.0, 0.0]]), torch.tensor([2]))
    assert loss.item() == pytest.approx(1.993605, abs=5e-7)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("alpha", [None, 0.25, (0.5, 1.0, 2.0)])
def test_softmax_form(gamma, alpha):
    factor = alpha if isinstance(alpha, tuple) else [1.0 if alpha is None else alpha] * 3
    each = [
        -factor[y] * (1 - softmax(z)[y]) ** gamma * log(softmax(z)[y])
        for z, y in zip(SCORES, TARGET, strict=True)
    ]
    loss = FocalLoss(gamma, alpha, "none")(double(SCORES), torch.tensor(TARGET))
    assert loss.tolist() == pytest.approx(each, abs=1e-12)
    mean = FocalLoss(gamma, alpha)(double(SCORES), torch.tensor(TARGET))
    assert mean.item() == pytest.approx(sum(each) / 3, abs=1e-12)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("alpha", [None, 0.25])
def test_sigmoid_form(gamma, alpha):
    labels = [[float(k == y) for k in range(3)] for y in TARGET]
    weigh = (lambda y: 1.0) if alpha is None else (lambda y: alpha if y else 1 - alpha)
    each = []
    for z, y in zip(chain(*SCORES), chain(*labels), strict=True):
        p = sigmoid(z) if y else 1 - sigmoid(z)
        each.append(-weigh(y) * (1 - p) ** gamma * log(p))
    loss = SigmoidFocalLoss(gamma, alpha, "none")(double(SCORES), double(labels))
    assert loss.flatten().tolist() == pytest.approx(each, abs=1e-12)
    by_class = SigmoidFocalLoss(gamma, alpha)(double(SCORES), torch.tensor(TARGET))
    assert by_class.item() == pytest.approx(sum(each) / 9, abs=1e-12)


def test_without_focus_they_are_the_cross_entropies():
    z, y, weights = torch.randn(20, 4).double(), torch.randint(4, (20,)), (0.1, 1.0, 2.0, 5.0)
    weighted = F.cross_entropy(z, y, double(weights), reduction="none")
    torch.testing.assert_close(FocalLoss(0, weights, "none")(z, y), weighted, rtol=1e-6, atol=1e-6)
    labels = torch.randint(2, (20, 4)).double()
    binary = F.binary_cross_entropy_with_logits(z, labels)
    torch.testing.assert_close(SigmoidFocalLoss(0, None)(z, labels), binary)


def test_what_is_right_counts_a_hundredth():
    """At p = 0.9 and gamma 2 the loss is a hundredth of the cross entropy."""
    z, y = double([[log(9.0), 0.0]]), torch.tensor([0])
    assert FocalLoss()(z, y).item() == pytest.approx(-log(0.9) / 100, abs=1e-12)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_the_gradient_is_the_closed_form(gamma):
    z = double(SCORES).requires_grad_()
    FocalLoss(gamma, reduction="sum")(z, torch.tensor(TARGET)).backward()
    for row, scores, y in zip(z.grad.tolist(), SCORES, TARGET, strict=True):
        p = softmax(scores)
        slope = gamma * (1 - p[y]) ** (gamma - 1) * p[y] * log(p[y]) - (1 - p[y]) ** gamma  # dL / d ln p_y
        assert row == pytest.approx([slope * ((k == y) - p[k]) for k in range(3)], abs=1e-12)


@pytest.mark.parametrize("gamma", [0.0, 0.1, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("kind", [FocalLoss, SigmoidFocalLoss])
def test_far_out_it_is_finite_and_right(kind, gamma):
    z = torch.tensor([[1e4, -1e4], [-1e4, 1e4], [0.0, 0.0]], requires_grad=True)
    loss = kind(gamma, None, "none")(z, torch.tensor([0, 0, 0]))
    loss.sum().backward()
    assert torch.isfinite(z.grad).all()
    assert loss.reshape(3, -1).sum(1)[:2].tolist() == pytest.approx([0.0, 2e4], abs=1e-6)
    assert z.grad[0].tolist() == pytest.approx([0.0, 0.0], abs=1e-6)
    assert z.grad[1].tolist() == pytest.approx([-1.0, 1.0], abs=1e-6)


def test_wrong_options_are_refused():
    for kind, options in ((FocalLoss, {"gamma": -1.0}), (SigmoidFocalLoss, {"alpha": 2.0})):
        with pytest.raises(UsageError, match=next(iter(options))):
            kind(**options)
    with pytest.raises(UsageError, match="average"):
        FocalLoss(reduction="average")
    with pytest.raises(UsageError, match="2 scores a row, and there are 3"):
        FocalLoss(alpha=(1.0, 2.0))(torch.zeros(1, 3), torch.tensor([0]))
