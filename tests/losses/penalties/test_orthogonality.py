import math

import pytest
import torch
from torch import nn

from torchatlas.losses.penalties import SelfOrthogonality
from torchatlas.losses.penalties.orthogonality import agreement


def layer(rows):
    made = nn.Linear(len(rows[0]), len(rows), bias=False).double()
    with torch.no_grad():
        made.weight.copy_(torch.tensor(rows, dtype=torch.double))
    return made


def angle(a, b):
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return math.acos(max(-1.0, min(1.0, dot / math.hypot(*a) / math.hypot(*b))))


def test_it_is_the_formula_on_random_filters():
    torch.manual_seed(0)
    rows = torch.randn(4, 3, dtype=torch.double).tolist()
    pairs = [1 - 2 * angle(rows[i], rows[j]) / math.pi for i in range(4) for j in range(4) if i != j]
    expected = 0.1 * (0.7 * sum(pairs) ** 2 + 1.3 * sum(v * v for v in pairs))
    assert SelfOrthogonality(0.1, 0.7, 1.3)(layer(rows)).item() == pytest.approx(expected, rel=1e-10)
    two = nn.Sequential(layer(rows), layer(rows))
    assert SelfOrthogonality(0.1, 0.7, 1.3)(two).item() == pytest.approx(2 * expected, rel=1e-10)


def test_right_angles_cost_nothing_and_one_direction_counts_as_one():
    assert SelfOrthogonality()(layer([[2.0, 0, 0], [0, 3, 0], [0, 0, -1]])).item() == 0
    same = layer([[1.0, 2, 3], [2, 4, 6]])
    assert SelfOrthogonality(1.0, 0.0, 1.0)(same).item() == pytest.approx(2.0)  # both orders of one pair
    assert agreement(torch.tensor([[1.0, 2.0], [-2.0, -4.0]])).tolist() == [[0, -1], [-1, 0]]


def test_it_is_how_often_signs_agree():
    torch.manual_seed(0)
    a, b, x = torch.randn(3), torch.randn(3), torch.randn(400_000, 3)
    signs = ((x @ a).sign() * (x @ b).sign()).mean().item()
    assert agreement(torch.stack([a, b]))[0, 1].item() == pytest.approx(signs, abs=0.01)


def test_gradients_are_finite_where_the_angle_is_none():
    for rows in ([[1.0, 2], [1, 2]], [[0.0, 0], [1, 2]], [[1.0, 2], [-1, -2]]):
        made = layer(rows).float()
        SelfOrthogonality()(made).backward()
        assert made.weight.grad.isfinite().all() and made.weight.grad.abs().max() < 10
