from math import exp

import pytest
import torch

from embedded import batch, far, mean, unit
from torchatlas.engine.errors import UsageError
from torchatlas.losses.metric import RankedListLoss


@pytest.mark.parametrize(
    "options", [{}, {"temperature": 0.0}, {"alpha": 1.5, "margin": 0.9, "balance": 0.3}, {"temperature": 2.0}]
)
def test_it_is_the_mean_over_rows(options):
    x, y = batch(rows=10)
    rows, losses, n = [unit(row) for row in x.tolist()], [], range(10)
    alpha, margin = options.get("alpha", 1.2), options.get("margin", 0.4)
    heat, balance = options.get("temperature", 10.0), options.get("balance", 1.0)
    for a in n:
        own = [far(rows[a], rows[k]) - (alpha - margin) for k in n if k != a and y[k] == y[a]]
        own = [d for d in own if d > 0]
        close = [alpha - far(rows[a], rows[k]) for k in n if y[k] != y[a]]
        close = [d for d in close if d > 0]
        weights = [exp(heat * d) for d in close]
        push = sum(w * d for w, d in zip(weights, close, strict=True)) / sum(weights) if close else 0.0
        losses.append((mean(own) if own else 0.0) + balance * push)
    assert RankedListLoss(**options)(x, y).item() == pytest.approx(mean(losses), rel=1e-11)


def test_weights_are_not_differentiated():
    x, y = batch(rows=10)
    leaf = x.clone().requires_grad_()
    (grad,) = torch.autograd.grad(RankedListLoss()(leaf, y), leaf)
    step = torch.zeros_like(x)
    step[2, 1] = 1e-6
    moved, back = (RankedListLoss()(x + s * step, y, held=x) for s in (1, -1))
    assert grad[2, 1].item() == pytest.approx((moved - back).item() / 2e-6, rel=1e-4)


def test_wrong_options_are_refused():
    with pytest.raises(UsageError, match=r"1\.3"):
        RankedListLoss(1.2, 1.3)
