from itertools import product

import pytest
import torch
from torch import nn

from torchatlas.engine.gradient import Gradient
from torchatlas.learning.supervised import Supervised
from torchatlas.losses.penalties import (
    Flooding,
    GradientPenaltyInputs,
    GradientPenaltyParams,
    L1Regularization,
    L2Regularization,
    Penalties,
)

X, Y = torch.randn(9, 4, generator=torch.Generator().manual_seed(0)).double(), torch.arange(9) % 3
WEIGHT = torch.arange(1.0, 10.0).double()


def learner(penalty):
    torch.manual_seed(0)
    return Supervised(nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)).double(), penalty=penalty)


def gradient(made, batch, micro):
    found = Gradient(made, micro=micro)("all", list(made.parameters()), batch, (0, 0, 0), [])
    return found.loss, [p.grad.clone() for p in made.parameters()]


@pytest.mark.parametrize(
    ("penalty", "batch"),
    [
        *product([L2Regularization(0.1), L1Regularization(0.1)], [(X, Y), (X, Y, WEIGHT)]),
        (GradientPenaltyInputs(0.2), (X, Y)),  # a mean over rows, whatever they weigh
    ],
)
def test_parts_of_a_batch_add_up_to_the_whole_penalty(penalty, batch):
    whole, parts = (gradient(learner(penalty), batch, micro) for micro in (1, 4))
    torch.testing.assert_close(parts[0], whole[0], rtol=1e-10, atol=1e-12)
    for a, b in zip(parts[1], whole[1], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)
    plain = gradient(learner(None), batch, 1)[0]
    assert whole[0].item() > plain.item()


def test_the_loss_has_the_penalty_and_scores_do_not():
    made = learner(L2Regularization(0.1))
    squares = sum(p.square().sum() for p in made.parameters() if p.ndim > 1)
    plain = Supervised(made.network)
    torch.testing.assert_close(made.loss("all", (X, Y)), plain.loss("all", (X, Y)) + 0.1 * squares)
    assert torch.equal(made.scores((X, Y))["loss"], plain.scores((X, Y))["loss"])
    assert made.state_dict().keys() == plain.state_dict().keys()


def test_a_penalty_of_the_whole_batch_refuses_to_be_cut():
    assert not learner(L2Regularization()).indivisible()
    assert "gradient of the whole batch" in learner(GradientPenaltyParams()).indivisible()
    several = Penalties([L2Regularization(), Flooding()])
    assert "flooding" in learner(several).indivisible()
    assert not learner(Penalties([L2Regularization()])).indivisible()


def test_flooding_sees_sample_weights():
    made = learner(Flooding(10.0))
    plain = Supervised(made.network).loss("all", (X, Y, WEIGHT))
    torch.testing.assert_close(made.loss("all", (X, Y, WEIGHT)), 20.0 - plain)
