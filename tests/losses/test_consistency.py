from math import exp, log

import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.losses import ConsistencyLoss

ONE, OTHER = [[2.0, 1.0, 0.0], [-1.0, 0.5, 30.0]], [[0.0, 1.0, 5.0], [2.0, -3.0, 0.1]]


def softmax(z):
    return [exp(x) / sum(map(exp, z)) for x in z]


def double(values):
    return torch.tensor(values, dtype=torch.double)


def test_mean_squared_difference_of_probabilities():
    each = [
        sum((p - q) ** 2 for p, q in zip(softmax(a), softmax(b), strict=True)) / 3
        for a, b in zip(ONE, OTHER, strict=True)
    ]
    assert ConsistencyLoss(reduction="none")(double(ONE), double(OTHER)).tolist() == pytest.approx(each)
    assert ConsistencyLoss()(double(ONE), double(OTHER)).item() == pytest.approx(sum(each) / 2)


def test_divergence_from_what_is_held_still():
    each = [
        sum(q * log(q / p) for p, q in zip(softmax(a), softmax(b), strict=True))
        for a, b in zip(ONE, OTHER, strict=True)
    ]
    got = ConsistencyLoss("kl", "none")(double(ONE), double(OTHER))
    assert got.tolist() == pytest.approx(each, abs=1e-12)


@pytest.mark.parametrize("distance", ["mse", "kl"])
def test_agreement_costs_nothing_and_the_target_takes_no_gradient(distance):
    z, other = (double(v).requires_grad_() for v in (ONE, OTHER))
    loss = ConsistencyLoss(distance)
    assert loss(z, z + 7).item() == pytest.approx(0.0, abs=1e-12)  # softmax forgets a shift
    loss(z, other).backward()
    assert z.grad.any() and other.grad is None


@pytest.mark.parametrize("distance", ["mse", "kl"])
def test_far_out_it_is_finite(distance):
    z = torch.tensor([[1e4, -1e4], [-1e4, 1e4]], requires_grad=True)
    loss = ConsistencyLoss(distance)(z, -z.detach())
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(z.grad).all()


def test_wrong_words_are_refused():
    with pytest.raises(UsageError, match="mse or kl, not 'l1'"):
        ConsistencyLoss("l1")
    with pytest.raises(UsageError, match="average"):
        ConsistencyLoss(reduction="average")
