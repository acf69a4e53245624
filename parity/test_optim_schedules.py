"""Schedules step by step, beside optax, transformers and the papers' formulas."""

import math

import numpy as np
import optax
import pytest
import torch
from transformers import optimization

from torchatlas import create

RATE, STEPS = 0.3, 30


def optimizer():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=RATE, momentum=0.9)


def rates(make, steps=STEPS, **score):
    """The rate of each step under a PyTorch schedule."""
    sgd = optimizer()
    schedule, seen = make(sgd), []
    for step in range(steps):
        seen.append(sgd.param_groups[0]["lr"])
        sgd.step()
        schedule.step(*[score["scores"][step]] if score else [])
    return seen


def mine(name, steps=STEPS, **options):
    return rates(lambda sgd: create(name, sgd, **options), steps)


OPTAX = {
    "lr_step": (
        {"step_size": 7, "gamma": 0.3},
        "exponential_decay",
        optax.exponential_decay(RATE, 7, 0.3, staircase=True),
    ),
    "lr_exponential": ({"gamma": 0.9}, "exponential_decay", optax.exponential_decay(RATE, 1, 0.9)),
    "lr_cosine": (
        {"T_max": 29, "eta_min": 0.03},
        "cosine_decay_schedule",
        optax.cosine_decay_schedule(RATE, 29, alpha=0.1),
    ),
    "lr_poly": (
        {"total_iters": 20, "power": 0.9},
        "polynomial_schedule",
        optax.polynomial_schedule(RATE, 0.0, 0.9, 20),
    ),
    "lr_warmup": (
        {"start_factor": 0.2, "total_iters": 9},
        "linear_schedule",
        optax.linear_schedule(0.2 * RATE, RATE, 9),
    ),
}


@pytest.mark.parametrize("name", OPTAX)
def test_beside_optax(same, name):
    options, peer, schedule = OPTAX[name]
    same(name, f"optax.{peer}", mine(name, **options), [float(schedule(t)) for t in range(STEPS)], 1e-12)


def test_beside_transformers(same):
    cosine = rates(lambda sgd: optimization.get_cosine_schedule_with_warmup(sgd, 0, 30))
    same(
        "lr_cosine",
        "transformers.get_cosine_schedule_with_warmup",
        mine("lr_cosine", T_max=30),
        cosine,
        1e-12,
    )
    poly = rates(
        lambda sgd: optimization.get_polynomial_decay_schedule_with_warmup(sgd, 0, 20, lr_end=0.0, power=2.0)
    )
    ours = mine("lr_poly", total_iters=20, power=2.0)
    same("lr_poly", "transformers.get_polynomial_decay_schedule_with_warmup", ours, poly, 1e-12)
    line = rates(lambda sgd: optimization.get_linear_schedule_with_warmup(sgd, 0, 20))
    ours = mine("lr_poly", total_iters=20, power=1.0)
    same("lr_poly", "transformers.get_linear_schedule_with_warmup", ours, line, 1e-12)
    warm = rates(lambda sgd: optimization.get_constant_schedule_with_warmup(sgd, 10))[1:]
    ours = mine("lr_warmup", STEPS - 1, start_factor=0.1, total_iters=9)
    same("lr_warmup", "transformers.get_constant_schedule_with_warmup", ours, warm, 1e-12)


def test_cyclic(same):
    s, low, high = 4, 0.01, 0.2

    def rate(t):
        cycle = math.floor(1 + t / (2 * s))
        return low + (high - low) * max(0.0, 1 - abs(t / s - 2 * cycle + 1))

    ours = mine("lr_cyclic", base_lr=low, max_lr=high, step_size_up=s)
    same("lr_cyclic", "formula (arXiv:1506.01186, section 3.2)", ours, [rate(t) for t in range(STEPS)], 1e-12)


def test_swalr(same):
    low, length = 0.05, 6
    theirs = [low + (RATE - low) * (1 + np.cos(np.pi * min(t / length, 1))) / 2 for t in range(STEPS)]
    ours = mine("lr_swalr", swa_lr=low, anneal_epochs=length)
    same("lr_swalr", "formula (arXiv:1803.05407, cosine annealing)", ours, theirs, 1e-12)


def test_plateau(same):
    scores = [5.0, 4.0, 4.1, 4.2, 4.3, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 2.0, 2.5]
    best, bad, rate, theirs = math.inf, 0, RATE, []
    for score in scores:
        theirs.append(rate)
        best, bad = (score, 0) if score < best * (1 - 1e-4) else (best, bad + 1)
        if bad > 2:
            rate, bad = 0.5 * rate, 0
    ours = rates(lambda sgd: create("lr_plateau", sgd, factor=0.5, patience=2), len(scores), scores=scores)
    same("lr_plateau", "formula (a cut after more than `patience` bad scores)", ours, theirs, 1e-12)


def test_inverse_square_root(same):
    """transformers counts from 0, where nothing moves; ours from the first step."""
    theirs = rates(lambda sgd: optimization.get_inverse_sqrt_schedule(sgd, 8, timescale=8), STEPS + 1)[1:]
    name = "transformers.get_inverse_sqrt_schedule"
    same("lr_inverse_sqrt", name, mine("lr_inverse_sqrt", warmup=8), theirs, 1e-12)
    paper = [RATE * 512**-0.5 * min(t**-0.5, t * 8**-1.5) for t in range(1, STEPS + 1)]
    ours = mine("lr_inverse_sqrt", warmup=8, width=512)
    same("lr_inverse_sqrt", "formula (arXiv:1706.03762, equation 3)", ours, paper, 1e-12)
