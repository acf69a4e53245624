from math import floor

import pytest
import torch

from torchatlas import create


def rates(name: str, steps: int, **options: object) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    schedule = create(name, optimizer, **options)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_cyclic_is_a_triangle_between_two_rates():
    found = rates("lr_cyclic", 20, base_lr=0.01, max_lr=0.09, step_size_up=4)
    closed = [0.01 + 0.08 * max(0, 1 - abs(t / 4 - 2 * floor(1 + t / 8) + 1)) for t in range(20)]
    assert found == pytest.approx(closed, abs=1e-12)
    assert (found[0], found[4], found[8], found[12]) == pytest.approx((0.01, 0.09, 0.01, 0.09))


def test_warm_up_rises_in_a_line_and_stays():
    found = rates("lr_warmup", 9, start_factor=0.1, total_iters=4)
    assert found == pytest.approx([0.5 * (0.1 + 0.9 * min(t / 4, 1)) for t in range(9)], abs=1e-12)
    assert rates("lr_warmup", 1) == pytest.approx([0.5 / 3])
