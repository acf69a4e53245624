from math import exp

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError


def by_hand(problem, lr, momentum=0.9, beta=0.9, gain_rate=0.01, scale_rate=0.001, limit=100.0):
    """Gains and scale themselves, with exponentials of the products; the scale is common to all tensors."""

    def within(x):
        return min(max(x, 1 / limit), limit)

    ws = [list(start) for start in problem.starts]
    ms, us = [[0.0] * len(w) for w in ws], [[0.0] * len(w) for w in ws]
    ps, s = [[1.0] * len(w) for w in ws], 1.0
    for gradients in problem.gradients:
        products = [g * u for k in range(2) for g, u in zip(gradients[k], us[k], strict=True)]
        s = within(s * exp(min(scale_rate * sum(products), 700)))
        for k, g in enumerate(gradients):
            for i, slope in enumerate(g):
                ps[k][i] = within(ps[k][i] * exp(min(gain_rate * ms[k][i] * slope, 700)))
                ms[k][i] = beta * ms[k][i] + (1 - beta) * slope
                us[k][i] = momentum * us[k][i] + lr * ps[k][i] * slope
                ws[k][i] -= s * us[k][i]
    return ws


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"gain_rate": 1e-6, "scale_rate": 1e-6},
        {"momentum": 0.5, "beta": 0.3, "gain_rate": 1e-5, "scale_rate": 1e-7, "limit": 1e6},
        {"gain_rate": 0.0, "scale_rate": 0.0},
    ],
)
def test_thirty_steps_are_the_papers(problem, walk, options):
    for got, expected in zip(
        walk("funnelled_sgdm", lr=0.001, **options), by_hand(problem, 0.001, **options), strict=True
    ):
        assert got == pytest.approx(expected, rel=1e-9)


def test_without_learning_it_is_momentum(walk):
    plain = walk("momentum_sgd", lr=0.001)
    for got, expected in zip(
        walk("funnelled_sgdm", lr=0.001, gain_rate=0.0, scale_rate=0.0), plain, strict=True
    ):
        assert got == pytest.approx(expected, rel=1e-12)


def test_gains_rise_with_a_gradient_that_stays_and_fall_with_one_that_turns():
    weight = torch.nn.Parameter(torch.zeros(2))
    optimizer = create("funnelled_sgdm", [weight], beta=0.0)
    for step in range(6):
        weight.grad = torch.tensor([1.0, (-1.0) ** step])
        optimizer.step()
    gains = optimizer.state[weight]["gain"].exp().tolist()
    assert gains == pytest.approx([exp(0.01 * 5), exp(-0.01 * 5)])


def test_wrong_options_are_refused():
    for options, word in (({"limit": 0.5}, "limit"), ({"gain_rate": -1.0}, "gain_rate")):
        with pytest.raises(UsageError, match=word):
            create("funnelled_sgdm", [torch.nn.Parameter(torch.ones(1))], **options)
