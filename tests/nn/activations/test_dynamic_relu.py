from math import exp

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError


def sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x))


def affine(row: list[float], layer: torch.nn.Linear) -> list[float]:
    pairs = zip(layer.weight.tolist(), layer.bias.tolist())
    return [sum(w * v for w, v in zip(ws, row)) + b for ws, b in pairs]


@pytest.mark.parametrize("form", ["a", "b", "c"])
@pytest.mark.parametrize("pieces", [2, 3])
def test_it_is_the_formula(form, pieces):
    act = create("dynamic_relu", channels=4, form=form, reduction=2, pieces=pieces).double()
    x = torch.randn(2, 4, 2, 3, dtype=torch.double) * 2
    got = act(x)
    for b in range(2):
        means = x[b].mean((1, 2)).tolist()
        hidden = [max(0, v) for v in affine(means, act.squeeze)]
        theta = [2 * sigmoid(v) - 1 for v in affine(hidden, act.widen)]
        sets = len(theta) // (2 * pieces)
        assert sets == (1 if form == "a" else 4)
        weights = [1.0] * 6
        if form == "c":
            z = [affine(x[b, :, h, w].tolist(), act.place)[0] / 10 for h in range(2) for w in range(3)]
            total = sum(map(exp, z))
            weights = [min(6 / 3 * exp(v) / total, 1) for v in z]
        for c in range(4):
            for place in range(6):
                t = x[b, c].flatten()[place].item()
                lines = []
                for k in range(pieces):
                    slope = (1 if k == 0 else 0) + theta[k * sets + c % sets]
                    offset = 0.5 * theta[(pieces + k) * sets + c % sets]
                    lines.append(weights[place] * slope * t + weights[place] * offset)
                assert got[b, c].flatten()[place].item() == pytest.approx(max(lines), abs=1e-9)


@pytest.mark.parametrize("form", ["a", "b"])
def test_without_an_answer_of_its_network_it_is_relu(form):
    act, x = create("dynamic_relu", channels=16, form=form), torch.randn(3, 16, 4, 4, requires_grad=True)
    torch.nn.init.zeros_(act.widen.weight)
    torch.nn.init.zeros_(act.widen.bias)
    assert torch.equal(act(x), x.relu())
    zero = torch.zeros(1, 16, 1, 1, requires_grad=True)
    act(zero).sum().backward()
    assert not zero.grad.any()  # as ReLU's


@pytest.mark.parametrize(("form", "outputs"), [("a", 4), ("b", 4 * 64)])
def test_it_is_as_large_as_the_paper_says(form, outputs):
    act = create("dynamic_relu", channels=64, form=form)
    assert sum(p.numel() for p in act.parameters()) == 64 * 8 + 8 + 8 * outputs + outputs


def test_it_wants_its_channels_and_a_known_form():
    with pytest.raises(UsageError, match=r"made for maps \(batch, 4, height, width\)"):
        create("dynamic_relu", channels=4)(torch.zeros(2, 3, 4))
    with pytest.raises(UsageError, match="form='z'"):
        create("dynamic_relu", channels=4, form="z")


@pytest.mark.parametrize("form", ["a", "c"])
def test_the_gradient_is_right_for_more_pieces(form):
    act = create("dynamic_relu", channels=4, form=form, reduction=2, pieces=3).double()
    torch.nn.init.normal_(act.widen.weight, std=3)
    x = torch.randn(2, 4, 2, 2, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(act, x) and torch.autograd.gradgradcheck(act, x, fast_mode=True)
