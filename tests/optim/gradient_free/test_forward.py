from itertools import product

import pytest
import torch
from torch import nn

from torchatlas import create
from torchatlas.optim.gradient_free import forward_gradient
from torchatlas.optim.gradient_free.directions import directions

POINT = {"a": [[1.0, -2.0]], "b": [0.5]}


def loss(params):
    """f = a0² a1 + 3 b a0, with the gradient (2 a0 a1 + 3 b, a0², 3 a0)."""
    a, b = params["a"], params["b"]
    return (a[0, 0] ** 2 * a[0, 1] + 3 * b[0] * a[0, 0]).sum()


GRADIENT = (2 * 1 * -2 + 3 * 0.5, 1.0, 3.0)


def point():
    return {name: torch.tensor(value, dtype=torch.double) for name, value in POINT.items()}


def test_it_is_the_derivative_along_the_direction_times_it():
    value, estimate = forward_gradient(loss, point(), torch.Generator().manual_seed(5))
    drawn = torch.Generator().manual_seed(5)
    v = [*torch.randn(1, 2, generator=drawn, dtype=torch.double)[0].tolist()]
    v += torch.randn(1, generator=drawn, dtype=torch.double).tolist()
    slope = sum(g * x for g, x in zip(GRADIENT, v, strict=True))
    got = [*estimate["a"][0].tolist(), *estimate["b"].tolist()]
    assert got == pytest.approx([slope * x for x in v], rel=1e-12)
    assert value.item() == pytest.approx(1 * -2 + 3 * 0.5 * 1)


def test_the_mean_over_all_signs_is_the_gradient(monkeypatch):
    """For v of ±1 the average over all of them is exact."""
    total = [0.0] * 3
    for signs in product((-1.0, 1.0), repeat=3):
        rows = [torch.tensor([signs[:2]], dtype=torch.double), torch.tensor(signs[2:], dtype=torch.double)]
        monkeypatch.setattr(torch, "randn", lambda *_, rows=rows, **__: rows.pop(0))
        _, estimate = forward_gradient(loss, point())
        got = [*estimate["a"][0].tolist(), *estimate["b"].tolist()]
        total = [t + x / 8 for t, x in zip(total, got, strict=True)]
    assert total == pytest.approx(GRADIENT)


def test_nothing_is_kept_for_a_backward_pass():
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    x = torch.randn(5, 3)

    def of(params):
        return torch.func.functional_call(net, params, (x,)).square().mean()

    value, estimate = forward_gradient(of, dict(net.named_parameters()))
    assert not value.requires_grad and not any(e.requires_grad for e in estimate.values())
    assert {name: e.shape for name, e in estimate.items()} == {n: p.shape for n, p in net.named_parameters()}


@pytest.mark.parametrize("samples", [1, 3])
def test_the_optimizer_s_step_is_the_same_estimate(samples):
    params = [nn.Parameter(torch.tensor(value, dtype=torch.double)) for value in POINT.values()]
    before = [p.detach().clone() for p in params]

    def closure():
        for p in params:
            p.grad = None
        value = loss(dict(zip(POINT, params, strict=True)))
        value.backward()
        return value

    optimizer = create("forward_gradient", params, lr=1.0, samples=samples, seed=2)
    assert optimizer.step(closure).item() == pytest.approx(-0.5)
    expected = [0.0] * 3
    for sample in range(samples):
        drawn = directions(before, 2, 0, sample, "ForwardGradient")
        v = [x for part in drawn for x in part.flatten().tolist()]
        slope = sum(g * x for g, x in zip(GRADIENT, v, strict=True))
        expected = [e + slope * x / samples for e, x in zip(expected, v, strict=True)]
    got = [x for b, p in zip(before, params, strict=True) for x in (b - p.detach()).flatten().tolist()]
    assert got == pytest.approx(expected, rel=1e-9)
    assert [x for p in params for x in p.grad.flatten().tolist()] == pytest.approx(GRADIENT)


def test_a_weight_without_a_gradient_rests():
    used, unused = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
    used.grad = torch.ones(3)
    create("forward_gradient", [used, unused]).step(lambda: torch.zeros(()))
    assert unused.tolist() == [1.0] * 3 and used.tolist() != [1.0] * 3
