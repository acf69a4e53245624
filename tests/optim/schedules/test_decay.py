from math import cos, pi

import pytest
import torch

from torchatlas import create


def rates(name: str, steps: int = 14, first: float = 0.5, **options: object) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=first)
    schedule = create(name, optimizer, **options)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


@pytest.mark.parametrize(
    ("name", "options", "closed"),
    [
        ("lr_step", {"step_size": 4}, lambda t: 0.5 * 0.1 ** (t // 4)),
        ("lr_exponential", {"gamma": 0.8}, lambda t: 0.5 * 0.8**t),
        (
            "lr_cosine",
            {"T_max": 13, "eta_min": 0.1},
            lambda t: 0.1 + (0.5 - 0.1) * (1 + cos(pi * t / 13)) / 2,
        ),
        ("lr_poly", {"total_iters": 10, "power": 2}, lambda t: 0.5 * max(0, 1 - t / 10) ** 2),
        (
            "lr_swalr",
            {"swa_lr": 0.05, "anneal_epochs": 6},
            lambda t: (a := (1 - cos(pi * min(t / 6, 1))) / 2) * 0.05 + (1 - a) * 0.5,
        ),
    ],
)
def test_closed_form(name, options, closed):
    assert rates(name, **options) == pytest.approx([closed(t) for t in range(14)], abs=1e-12)


def test_a_plateau_cuts_after_patience_runs_out():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = create("lr_plateau", optimizer, patience=2, factor=0.5)
    found = []
    for score in (5, 4, 4, 4, 4, 3, 3, 3, 3, 3):
        schedule.step(score)
        found.append(optimizer.param_groups[0]["lr"])
    assert found == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25]
