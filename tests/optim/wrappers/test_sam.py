from math import sqrt

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError

CURVATURE = (1.0, 2.0, 4.0)
START = (1.0, 2.0, -3.0)


def slopes(w):
    return [c * x + 0.1 * x**3 for c, x in zip(CURVATURE, w, strict=True)]


def by_hand(steps, lr, rho, momentum):
    w, m = list(START), [0.0] * 3
    for _ in range(steps):
        g = slopes(w)
        norm = sqrt(sum(x * x for x in g))
        worst = [x + rho * y / norm for x, y in zip(w, g, strict=True)]
        m = [momentum * a + b for a, b in zip(m, slopes(worst), strict=True)]
        w = [x - lr * a for x, a in zip(w, m, strict=True)]
    return w


def problem(dtype=torch.double, split=1):
    """The objective's weights as two tensors, whose norm is one norm."""
    params = [torch.nn.Parameter(torch.tensor(part, dtype=dtype)) for part in (START[:split], START[split:])]

    def loss():
        for p in params:
            p.grad = None
        w = torch.cat(params)
        value = (torch.tensor(CURVATURE, dtype=dtype) * w**2 / 2 + 0.1 * w**4 / 4).sum()
        value.backward()
        return value

    return params, loss


@pytest.mark.parametrize(("rho", "momentum"), [(0.05, 0.9), (0.5, 0.0), (0.0, 0.5)])
def test_ten_steps_are_the_papers(rho, momentum):
    params, loss = problem()
    optimizer = create("sam", params, base=f"sgd(momentum={momentum})", lr=0.02, rho=rho)
    for _ in range(10):
        optimizer.step(loss)
    assert torch.cat(params).tolist() == pytest.approx(by_hand(10, 0.02, rho, momentum), abs=1e-12)


def test_the_weights_are_put_back_bit_for_bit_before_the_step():
    params, loss = problem(torch.float)
    seen = []

    def watched():
        seen.append(torch.cat(params).detach().clone())
        return loss()

    value = create("sam", params, base="sgd", lr=0.0).step(watched)
    assert len(seen) == 2 and torch.equal(torch.cat(params), seen[0])
    assert (seen[1] - seen[0]).norm().item() == pytest.approx(0.05, rel=1e-5)
    assert value.item() == pytest.approx(loss().item())


def test_the_weights_are_put_back_where_the_second_call_fails():
    params, loss = problem(torch.float)
    before = torch.cat(params).detach().clone()
    calls = []

    def fails():
        calls.append(1)
        if len(calls) == 2:
            raise KeyError("at the second point")
        return loss()

    with pytest.raises(KeyError):
        create("sam", params).step(fails)
    assert torch.equal(torch.cat(params), before)


def test_no_slope_is_no_reason_to_move():
    weight = torch.nn.Parameter(torch.ones(2))
    weight.grad = torch.zeros(2)
    create("sam", [weight]).step(lambda: torch.zeros(()))
    assert weight.tolist() == [1.0, 1.0]


def test_a_closure_is_asked_for_and_options_are_checked():
    weight = torch.nn.Parameter(torch.ones(2))
    with pytest.raises(UsageError, match="closure"):
        create("sam", [weight]).step()
    with pytest.raises(UsageError, match="rho"):
        create("sam", [weight], rho=-1.0)
