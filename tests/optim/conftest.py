"""One problem for all optimizers: two tensors as flat lists, and the gradients of some steps."""

import random
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch

from torchatlas import create

SHAPES = ((3, 4), (5,))


class Problem(NamedTuple):
    """Where two tensors start and their gradients, step by step: numbers from 1e-3 to 1e3."""

    starts: list[list[float]]
    gradients: list[list[list[float]]]  # [step][tensor]


@pytest.fixture
def problem() -> Problem:
    draw = random.Random(3)

    def numbers(count: int) -> list[float]:
        return [draw.gauss(0, 1) * 10 ** draw.uniform(-3, 3) for _ in range(count)]

    counts = (12, 5)
    gradients = [[numbers(count) for count in counts] for _ in range(30)]
    for step in gradients:
        step[0][0] = 0.0  # an entry that never has a gradient
    return Problem([numbers(count) for count in counts], gradients)


@pytest.fixture
def walk(problem: Problem) -> Callable[..., list[list[float]]]:
    """Where an optimizer's steps by the problem's gradients end; `rates` gives the rate of each."""

    def walked(name: str, rates: Any = None, **options: Any) -> list[list[float]]:
        weights = [
            torch.nn.Parameter(torch.tensor(start, dtype=torch.double).reshape(shape))
            for start, shape in zip(problem.starts, SHAPES, strict=True)
        ]
        optimizer = create(name, weights, **options)
        for step, gradients in enumerate(problem.gradients):
            if rates is not None:
                optimizer.param_groups[0]["lr"] = rates(step)
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.grad = torch.tensor(gradient, dtype=torch.double).reshape(weight.shape)
            optimizer.step()
        return [weight.detach().flatten().tolist() for weight in weights]

    return walked
