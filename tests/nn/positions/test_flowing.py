import math

import pytest
import torch
from torch import nn

from torchatlas import create
from torchatlas.engine.errors import UsageError

from .plain import equal, numbers


class Turn(nn.Module):
    """dp/dt = A p: the path is e^{At} p."""

    def __init__(self, matrix):
        super().__init__()
        self.matrix = matrix

    def forward(self, t, p):
        return self.matrix @ p


class Late(nn.Module):
    """dp/dt = (cos t, 2t): the path is (sin t, t²)."""

    def forward(self, t, p):
        return torch.tensor([math.cos(t), 2 * t], dtype=p.dtype)


def path(field, start, length, step):
    layer = create("floater", width=len(start), step=step).double()
    layer.field = field
    with torch.no_grad():
        layer.start.copy_(start)
        return layer(torch.zeros(1, length, len(start), dtype=torch.double))[0]


def test_a_linear_field_leads_along_the_exponential():
    matrix = torch.tensor([[0.2, -1.0, 0.0], [1.0, 0.1, 0.3], [0.0, -0.4, -0.5]], dtype=torch.double)
    start, errors = torch.tensor([1.0, -2.0, 0.5], dtype=torch.double), []
    for step in (0.2, 0.1):
        got = path(Turn(matrix), start, 9, step)
        exact = torch.stack([torch.linalg.matrix_exp(matrix * k * step) @ start for k in range(9)])
        errors.append(float((got - exact).abs().max()) / (8 * step))
    assert errors[1] < 1e-5 and errors[0] / errors[1] == pytest.approx(16, rel=0.4)  # of order four


def test_the_field_is_told_the_time():
    got = path(Late(), torch.zeros(2, dtype=torch.double), 12, 0.1)
    expected = [[math.sin(k / 10), (k / 10) ** 2] for k in range(12)]
    equal(got, torch.tensor(expected, dtype=torch.double), 1e-7)


def test_the_networks_first_step_by_hand():
    layer = create("floater", width=3, hidden=4, step=0.5).double()
    start, field = numbers(layer.start), layer.field
    w, b, o, c = (numbers(p) for p in field.parameters())

    def h(t, p):
        hidden = [math.tanh(sum(w[k, i] * v for i, v in enumerate([*p, t])) + b[k]) for k in range(4)]
        return [sum(o[i, k] * hidden[k] for k in range(4)) + c[i] for i in range(3)]

    k1 = h(0.0, start)
    k2 = h(0.25, [p + 0.25 * k for p, k in zip(start, k1)])
    k3 = h(0.25, [p + 0.25 * k for p, k in zip(start, k2)])
    k4 = h(0.5, [p + 0.5 * k for p, k in zip(start, k3)])
    after = [p + (a + 2 * b + 2 * c + d) / 12 for p, a, b, c, d in zip(start, k1, k2, k3, k4)]
    equal(layer(torch.zeros(1, 2, 3, dtype=torch.double))[0, 1], torch.tensor(after, dtype=torch.double))


def test_a_still_field_and_no_place_at_all():
    layer = create("floater", width=3)
    for parameter in layer.field.parameters():
        nn.init.zeros_(parameter)
    assert not layer(torch.zeros(2, 6, 3)).any() and layer(torch.zeros(2, 0, 3)).shape == (2, 0, 3)
    with pytest.raises(UsageError, match="step"):
        create("floater", width=3, step=0)
