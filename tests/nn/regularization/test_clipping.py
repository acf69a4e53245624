import math

import pytest
import torch

from torchatlas import create


def with_gradients(*rows):
    made = [torch.nn.Parameter(torch.zeros(len(row))) for row in rows]
    for parameter, row in zip(made, rows, strict=True):
        parameter.grad = torch.tensor(row)
    return made


@pytest.mark.parametrize("largest", [0.5, 100.0])
def test_all_gradients_are_scaled_together(largest):
    rows = ([3.0, -4.0], [12.0])  # of length 13 together
    made = with_gradients(*rows)
    length = create("grad_clip_norm", max_norm=largest)(made)
    factor = min(1.0, largest / 13)
    assert length.item() == pytest.approx(13)
    for parameter, row in zip(made, rows, strict=True):
        assert parameter.grad.tolist() == pytest.approx([factor * g for g in row], rel=1e-5)
    assert math.dist([0] * 3, [g for p in made for g in p.grad.tolist()]) <= largest + 1e-6


def test_each_number_is_cut():
    made = with_gradients([3.0, -4.0, 0.5])
    create("grad_clip_value", clip_value=1.0)(made)
    assert made[0].grad.tolist() == [1.0, -1.0, 0.5]
