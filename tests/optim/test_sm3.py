import random
from itertools import product
from math import prod, sqrt

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.optim import foreach


def by_hand(form, shape, start, gradients, lr=0.1, momentum=0.0):
    """The paper's algorithms entry by entry: every slice of every axis has a number."""
    entries = list(product(*map(range, shape)))
    slices = {(axis, entry[axis]) for entry in entries for axis in range(len(shape))}
    mu, w, m = dict.fromkeys(slices, 0.0), dict(zip(entries, start, strict=True)), dict.fromkeys(entries, 0.0)
    bounds = []
    for gradient in gradients:
        g, nu = dict(zip(entries, gradient, strict=True)), {}
        of = {e: [(axis, e[axis]) for axis in range(len(shape))] for e in entries}
        if form == "i":
            for r in slices:
                mu[r] += max(g[e] ** 2 for e in entries if r in of[e])
            nu = {e: min(mu[r] for r in of[e]) for e in entries}
        else:
            nu = {e: min(mu[r] for r in of[e]) + g[e] ** 2 for e in entries}
            mu = {r: max(nu[e] for e in entries if r in of[e]) for r in slices}
        for e in entries:
            step = g[e] / sqrt(nu[e]) if nu[e] else 0.0
            m[e] = momentum * m[e] + (1 - momentum) * step
            w[e] -= lr * m[e]
        bounds.append([nu[e] for e in entries])
    return [w[e] for e in entries], bounds


def walk(name, shape, start, gradients, **options):
    weight = torch.nn.Parameter(torch.tensor(start, dtype=torch.double).reshape(shape))
    optimizer = create(name, [weight], lr=0.1, **options)
    for gradient in gradients:
        weight.grad = torch.tensor(gradient, dtype=torch.double).reshape(shape)
        optimizer.step()
    return weight.detach().flatten().tolist(), optimizer.state[weight]


def problem(shape, steps=5):
    draw = random.Random(0)
    numbers = [[draw.gauss(0, 1) for _ in range(prod(shape))] for _ in range(steps + 1)]
    for gradient in numbers[1:]:
        gradient[0] = 0.0  # an entry that never has a gradient: 0/0 is 0
    return numbers[0], numbers[1:]


@pytest.mark.parametrize("grain", [2**18, 4])  # whole, and in bites of a row or a few
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("shape", [(9,), (3, 4), (13, 1), (1, 12), (2, 3, 2, 2), (5, 2, 3)])
@pytest.mark.parametrize(("name", "form"), [("sm3", "ii"), ("sm3_i", "i")])
def test_five_steps_are_the_papers(name, form, shape, momentum, grain, monkeypatch):
    monkeypatch.setattr(foreach, "GRAIN", grain)
    start, gradients = problem(shape)
    expected, _ = by_hand(form, shape, start, gradients, momentum=momentum)
    got, _ = walk(name, shape, start, gradients, momentum=momentum)
    assert got == pytest.approx(expected, abs=1e-12)
    assert got[0] == start[0] or shape != (9,)


@pytest.mark.parametrize("name", ["sm3", "sm3_i"])
def test_a_vector_is_walked_as_by_adagrad(name):
    start, gradients = problem((6,))
    adagrad, _ = walk("adagrad", (6,), start, gradients, eps=1e-30)
    assert walk(name, (6,), start, gradients)[0] == pytest.approx(adagrad, abs=1e-12)


def test_bounds_hold_and_form_ii_is_the_tighter():
    start, gradients = problem((3, 4), 8)
    tight, loose = (by_hand(form, (3, 4), start, gradients)[1] for form in ("ii", "i"))
    sums = [0.0] * 12
    for gradient, low, high in zip(gradients, tight, loose, strict=True):
        sums = [s + g * g for s, g in zip(sums, gradient, strict=True)]
        assert all(s <= a + 1e-12 and a <= b + 1e-12 for s, a, b in zip(sums, low, high, strict=True))
    one, two = (walk(name, (3, 4), start, gradients)[1] for name in ("sm3_i", "sm3"))
    assert all((two[axis] <= one[axis] + 1e-12).all() for axis in ("axis0", "axis1"))


@pytest.mark.parametrize(("shape", "kept"), [((30, 20), 50), ((8, 4, 3, 3), 18), ((7,), 7), ((), 1)])
def test_the_state_is_one_number_per_slice(shape, kept):
    weight = torch.nn.Parameter(torch.ones(shape))
    weight.grad = torch.ones(shape)
    optimizer = create("sm3", [weight])
    optimizer.step()
    assert sum(value.numel() for value in optimizer.state[weight].values()) == kept


def test_wrong_options_are_refused():
    for options in ({"momentum": 1.0}, {"form": "iii"}):
        with pytest.raises(UsageError, match=next(iter(options))):
            create("sm3", [torch.nn.Parameter(torch.ones(1))], **options)
