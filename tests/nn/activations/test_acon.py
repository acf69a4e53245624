from math import exp, isclose, sqrt

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError

POINTS = (-9.0, -3.0, -1.0, -0.4, 0.0, 0.4, 1.0, 3.0, 9.0)


def formula(x: float, p1: float, p2: float, beta: float) -> float:
    return (p1 - p2) * x / (1 + exp(-beta * (p1 - p2) * x)) + p2 * x


def acon(p1: float, p2: float, beta: float) -> torch.nn.Module:
    act = create("acon", channels=1).double()
    with torch.no_grad():
        for parameter, number in ((act.p1, p1), (act.p2, p2), (act.beta, beta)):
            parameter.fill_(number)
    return act


def value(act: torch.nn.Module, x: float) -> float:
    return act.double()(torch.tensor([[x]], dtype=torch.double)).item()


@pytest.mark.parametrize("name", ["acon"])
@pytest.mark.parametrize(("p1", "p2", "beta"), [(1, 0.25, 1), (0.3, -1.2, 2.5), (-1, 1.5, 0.4), (1, 0, -2)])
@pytest.mark.parametrize("x", POINTS)
def test_acon_c_is_the_formula(name, x, p1, p2, beta):
    assert isclose(value(acon(p1, p2, beta), x), formula(x, p1, p2, beta), rel_tol=1e-12, abs_tol=1e-12)


@pytest.mark.parametrize("name", ["acon"])
def test_known_values_and_limits(name):
    act = acon(1, 0.25, 1)
    assert value(act, 1) == pytest.approx(0.759384, abs=5e-7)
    assert value(act, -1) == pytest.approx(-0.490616, abs=5e-7)
    for x in (-2.0, 3.0):
        assert value(acon(0.7, -0.2, 1e4), x) == pytest.approx(max(0.7 * x, -0.2 * x))
        assert value(acon(0.7, -0.2, 0), x) == pytest.approx((0.7 - 0.2) * x / 2)


@pytest.mark.parametrize("x", POINTS)
def test_the_simpler_forms(x):
    assert isclose(value(create("acon_a", channels=1), x), x / (1 + exp(-x)), abs_tol=1e-12)
    assert isclose(value(create("acon_b", channels=1), x), formula(x, 1, 0.25, 1), abs_tol=1e-12)
    assert isclose(value(create("acon", channels=1, form="A"), x), x / (1 + exp(-x)), abs_tol=1e-12)


@pytest.mark.parametrize(("name", "count"), [("acon_a", 5), ("acon_b", 10), ("acon", 15)])
def test_each_channel_learns_for_itself_along_any_dimension(name, count):
    act = create(name, channels=5, dim=-1).double()
    assert sum(p.numel() for p in act.parameters()) == count
    x = torch.randn(2, 3, 5, dtype=torch.double)
    with torch.no_grad():
        for p in act.parameters():
            p.normal_()
    p1, p2 = (torch.ones(5) if act.p1 is None else act.p1), (torch.zeros(5) if act.p2 is None else act.p2)
    for c in range(5):
        numbers = (p1[c].item(), p2[c].item(), act.beta[c].item())
        for got, y in zip(act(x)[..., c].flatten().tolist(), x[..., c].flatten().tolist()):
            assert isclose(got, formula(y, *numbers), rel_tol=1e-9, abs_tol=1e-12)
    with pytest.raises(UsageError, match="made for 5 channels along dimension -1"):
        act(torch.zeros(2, 5, 3))


def test_acon_c_starts_with_normal_numbers():
    act = create("acon", channels=20_000)
    for p in (act.p1, act.p2):
        assert p.mean().abs() < 0.03 and abs(p.std() - 1) < 0.03
    with pytest.raises(UsageError, match="form='d' must be one of a, b, c"):
        create("acon", channels=3, form="d")


@pytest.mark.parametrize("name", ["swish_beta"])
@pytest.mark.parametrize("beta", [1.0, 0.0, -0.75, 3.0])
@pytest.mark.parametrize("x", POINTS)
def test_swish_learns_its_slope(name, x, beta):
    act = create(name, beta=beta).double()
    assert isclose(value(act, x), x / (1 + exp(-beta * x)), rel_tol=1e-12, abs_tol=1e-12)
    assert [p.shape for p in act.parameters()] == [()]
    share = 1 / (1 + exp(-beta * x))
    act(torch.tensor([x], dtype=torch.double)).sum().backward()
    assert isclose(act.beta.grad.item(), x * x * share * (1 - share), rel_tol=1e-9, abs_tol=1e-12)


def normalised(rows: list[list[float]]) -> list[list[float]]:
    """Columns with mean zero and biased variance one, as a batch normalisation starts."""
    out = [list(row) for row in rows]
    for c in range(len(rows[0])):
        column = [row[c] for row in rows]
        mean = sum(column) / len(column)
        spread = sqrt(sum((v - mean) ** 2 for v in column) / len(column) + 1e-5)
        for row in out:
            row[c] = (row[c] - mean) / spread
    return out


def affine(rows: list[list[float]], layer: torch.nn.Linear) -> list[list[float]]:
    weight, bias = layer.weight.tolist(), layer.bias.tolist()
    return [[sum(w * v for w, v in zip(ws, row)) + b for ws, b in zip(weight, bias)] for row in rows]


@pytest.mark.parametrize("name", ["meta_acon"])
def test_meta_acon_makes_its_slopes_from_the_map(name):
    act = create(name, channels=3).double()
    x = torch.randn(4, 3, 2, 5, dtype=torch.double)
    means = x.mean((2, 3)).tolist()
    hidden = normalised(affine(means, act.switch[0]))
    slopes = [[1 / (1 + exp(-v)) for v in row] for row in normalised(affine(hidden, act.switch[2]))]
    got = act(x)
    for b in range(4):
        for c in range(3):
            p1, p2 = act.p1[c].item(), act.p2[c].item()
            for y, z in zip(got[b, c].flatten().tolist(), x[b, c].flatten().tolist()):
                assert isclose(y, formula(z, p1, p2, slopes[b][c]), rel_tol=1e-9, abs_tol=1e-12)


@pytest.mark.parametrize("name", ["meta_acon"])
@pytest.mark.parametrize(
    ("options", "channels", "hidden"),
    [
        ({}, 8, 16),
        ({}, 256, 16),
        ({}, 512, 32),
        ({"narrowest": 5}, 8, 5),
        ({"reduction": 4}, 128, 32),
    ],
)
def test_meta_acon_narrows_to_a_sixteenth_but_not_below_sixteen(name, options, channels, hidden):
    act = create(name, channels=channels, **options)
    count = 2 * channels * hidden + 3 * hidden + 3 * channels + 2 * channels
    assert sum(p.numel() for p in act.parameters()) == count
    with pytest.raises(UsageError, match=r"maps \(batch"):
        act(torch.zeros(2, channels + 1, 3, 3))
