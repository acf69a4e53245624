from collections.abc import Callable
from math import sqrt

import pytest
import torch

from torchatlas import create

CURVATURE = (1.0, 2.0, 4.0)
START = (1.0, 2.0, 3.0)


def walk(name: str, steps: int = 3, start: tuple[float, ...] = START, **options: object) -> list[float]:
    """Where an optimizer goes on the parabola Σ λ θ² / 2."""
    weights = torch.nn.Parameter(torch.tensor(start, dtype=torch.double))
    optimizer = create(name, [weights], **{"lr": 0.1} | options)
    for _ in range(steps):
        optimizer.zero_grad()
        (torch.tensor(CURVATURE, dtype=torch.double) * weights**2 / 2).sum().backward()
        optimizer.step()
    return weights.tolist()


@pytest.mark.parametrize(
    ("name", "options", "ends"),
    [
        ("sgd", {}, [0.729, 1.024, 0.648]),
        ("momentum_sgd", {}, [0.486, 0.124, -1.62]),
        ("nag", {}, [0.327321, -0.216704, -1.299888]),
        ("rprop", {}, [0.636, 1.636, 2.636]),
        ("adagrad", {}, [0.780456, 1.775822, 2.774359]),
        ("rmsprop", {}, [0.0, 0.309687, 1.068995]),
        ("adadelta", {"lr": 1.0}, [0.990309, 1.990301, 2.990298]),
        ("adam", {}, [0.701586, 1.700623, 2.700382]),
        ("adamw", {}, [0.698911, 1.694945, 2.691704]),
        ("adamax", {}, [0.715499, 1.707648, 2.70501]),
        ("nadam", {}, [0.752729, 1.747509, 2.745876]),
        ("radam", {}, [0.71577, 0.924607, 0.128996]),
    ],
)
def test_three_steps_on_a_parabola(name, options, ends):
    assert walk(name, **options) == pytest.approx(ends, abs=1e-6)


Rule = Callable[[float, int, dict[str, float]], float]


def by_hand(rule: Rule, steps: int) -> list[float]:
    """The same walk in plain Python: `rule(gradient, step, state)` is what is taken from the weight."""
    ends = []
    for curvature, weight in zip(CURVATURE, START, strict=True):
        state = dict.fromkeys("muvwxp", 0.0) | {"p": 1.0}
        for step in range(1, steps + 1):
            weight -= rule(curvature * weight, step, state)
        ends.append(weight)
    return ends


def adam(g: float, t: int, s: dict[str, float]) -> float:
    s["m"], s["v"] = 0.9 * s["m"] + 0.1 * g, 0.999 * s["v"] + 0.001 * g * g
    return 0.1 * s["m"] / (1 - 0.9**t) / (sqrt(s["v"] / (1 - 0.999**t)) + 1e-8)


def amsgrad(g: float, t: int, s: dict[str, float]) -> float:
    s["m"], s["v"] = 0.9 * s["m"] + 0.1 * g, 0.5 * s["v"] + 0.5 * g * g
    s["w"] = max(s["w"], s["v"])
    return 0.1 * s["m"] / (1 - 0.9**t) / (sqrt(s["w"] / (1 - 0.5**t)) + 1e-8)


def adamax(g: float, t: int, s: dict[str, float]) -> float:
    s["m"], s["u"] = 0.9 * s["m"] + 0.1 * g, max(0.999 * s["u"], abs(g) + 1e-8)
    return 0.1 / (1 - 0.9**t) * s["m"] / s["u"]


def nadam(g: float, t: int, s: dict[str, float]) -> float:
    now, soon = (0.9 * (1 - 0.96 ** (k * 0.004) / 2) for k in (t, t + 1))
    s["m"], s["v"] = 0.9 * s["m"] + 0.1 * g, 0.999 * s["v"] + 0.001 * g * g
    s["p"] *= now
    ahead = soon * s["m"] / (1 - s["p"] * soon) + (1 - now) * g / (1 - s["p"])
    return 0.1 * ahead / (sqrt(s["v"] / (1 - 0.999**t)) + 1e-8)


def radam(g: float, t: int, s: dict[str, float]) -> float:
    s["m"], s["v"] = 0.9 * s["m"] + 0.1 * g, 0.999 * s["v"] + 0.001 * g * g
    last = 2 / (1 - 0.999) - 1
    now = last - 2 * t * 0.999**t / (1 - 0.999**t)
    mean = s["m"] / (1 - 0.9**t)
    if now <= 5:
        return 0.1 * mean
    scale = sqrt((now - 4) * (now - 2) * last / ((last - 4) * (last - 2) * now))
    return 0.1 * mean * scale * sqrt(1 - 0.999**t) / (sqrt(s["v"]) + 1e-8)


def rmsprop(g: float, t: int, s: dict[str, float]) -> float:
    s["v"] = 0.99 * s["v"] + 0.01 * g * g
    return 0.1 * g / (sqrt(s["v"]) + 1e-8)


def adadelta(g: float, t: int, s: dict[str, float]) -> float:
    s["v"] = 0.9 * s["v"] + 0.1 * g * g
    step = sqrt(s["x"] + 1e-6) / sqrt(s["v"] + 1e-6) * g
    s["x"] = 0.9 * s["x"] + 0.1 * step * step
    return 0.1 * step


def nag(g: float, t: int, s: dict[str, float]) -> float:
    s["m"] = 0.9 * s["m"] + g
    return 0.1 * (g + 0.9 * s["m"])


@pytest.mark.parametrize(
    ("name", "rule", "options"),
    [
        ("adam", adam, {}),
        (
            "amsgrad",
            amsgrad,
            {"betas": (0.9, 0.5)},
        ),  # a short memory, so that v falls and the maximum matters
        ("adamax", adamax, {}),
        ("nadam", nadam, {}),
        ("radam", radam, {}),
        ("rmsprop", rmsprop, {}),
        ("adadelta", adadelta, {}),
        ("nag", nag, {}),
    ],
)
def test_thirty_steps_are_the_formula(name, rule, options):
    assert walk(name, 30, **options) == pytest.approx(by_hand(rule, 30), rel=1e-6, abs=1e-9)


def test_amsgrad_differs_from_adam_where_the_second_moment_falls():
    short = {"betas": (0.9, 0.5)}
    assert walk("amsgrad", 30, **short) != pytest.approx(walk("adam", 30, **short), abs=1e-3)


def test_adamw_decays_without_a_gradient_and_is_adam_without_decay():
    assert walk("adamw", start=(0.0, 0.0, 0.0)) == [0, 0, 0]
    assert walk("adamw", 20, weight_decay=0.0) == pytest.approx(walk("adam", 20), abs=1e-12)
    weights = torch.nn.Parameter(torch.ones(2, dtype=torch.double))
    optimizer = create("adamw", [weights], lr=0.1, weight_decay=0.5)
    for _ in range(4):
        weights.grad = torch.zeros(2, dtype=torch.double)
        optimizer.step()
    assert weights.tolist() == pytest.approx([0.95**4] * 2)
