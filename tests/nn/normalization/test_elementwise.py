from math import exp, sqrt

import pytest
import torch

from torchatlas import create

X = torch.randn(5, 3, dtype=torch.double, generator=torch.Generator().manual_seed(1)) * 4
WEIGHT, BIAS = (2.0, -0.5, 1.0), (0.25, 0.0, -3.0)


def tanh(v: float) -> float:
    return (exp(v) - exp(-v)) / (exp(v) + exp(-v))


def set_affine(norm: torch.nn.Module) -> torch.nn.Module:
    with torch.no_grad():
        norm.weight.copy_(torch.tensor(WEIGHT)), norm.bias.copy_(torch.tensor(BIAS))
    return norm


@pytest.mark.parametrize(
    ("name", "parameter", "value", "squash"),
    [
        ("dyt", "alpha", 0.75, lambda v: tanh(0.75 * v)),
        ("dyisru", "log_c", 0.5, lambda v: sqrt(3) * v / sqrt(v * v + exp(0.5))),
    ],
)
def test_each_number_is_squashed_alone(name, parameter, value, squash):
    norm = set_affine(create(name, num_features=3).double())
    with torch.no_grad():
        getattr(norm, parameter).fill_(value)
    y = norm(X)
    for row, out in zip(X.tolist(), y.tolist(), strict=True):
        assert out == pytest.approx([w * squash(v) + b for v, w, b in zip(row, WEIGHT, BIAS, strict=True)])
    other = set_affine(create(name, num_features=3, dim=1).double())
    with torch.no_grad():
        getattr(other, parameter).fill_(value)
    assert torch.allclose(other(X[:, :, None, None]), y[:, :, None, None])


def test_dyt_starts_with_slope_one_half():
    norm, x = (
        create("dyt", num_features=1).double(),
        torch.zeros(1, 1, dtype=torch.double, requires_grad=True),
    )
    norm(x).backward()
    assert x.grad.item() == pytest.approx(0.5)
    assert create("dyt", num_features=1, alpha=0.2).alpha.item() == pytest.approx(0.2)


def test_dyisru_is_rms_norm_where_c_is_the_sum_of_the_other_squares():
    for row in X.tolist():
        root = sqrt(sum(v * v for v in row) / 3)
        for place, v in enumerate(row):
            norm = create("dyisru", num_features=3).double()
            with torch.no_grad():
                norm.log_c.fill_(sum(w * w for w in row) - v * v).log_()
            x = torch.tensor([row], dtype=torch.double)
            assert norm(x)[0, place].item() == pytest.approx(v / root)


def test_dyisru_starts_at_the_number_of_features():
    assert create("dyisru", num_features=7).log_c.exp().item() == pytest.approx(7)
