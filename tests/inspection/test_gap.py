import numpy as np
import pytest
import torch
from torch import nn

from torchatlas.data import Part
from torchatlas.engine.errors import UsageError
from torchatlas.engine.learner import Learner
from torchatlas.inspection import error_gap
from torchatlas.learning.supervised import Supervised


def part(x, y):
    return Part(x, y, np.arange(len(x)))


def test_both_errors_are_means_over_their_rows():
    torch.manual_seed(0)
    learner = Supervised(nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5)), "regression")
    one, two = (part(torch.randn(n, 3), torch.randn(n, 4)) for n in (7, 5))
    found = error_gap(learner, one, two)
    assert learner.training
    linear = learner.network[0]
    for scores, rows in ((found.train, one), (found.held_out, two)):
        expected = ((linear(rows.x) - rows.y) ** 2).mean().item()
        assert scores["squared_error"] == pytest.approx(expected, rel=1e-6)
    assert found.gap["loss"] == pytest.approx(found.held_out["loss"] - found.train["loss"])


def fitted(degree, count, seed=0):
    """A polynomial fitted to a noisy cubic by least squares, and its two errors."""
    draw = np.random.default_rng(seed)
    x = draw.uniform(-1, 1, count + 2000)
    y = 4 * x**3 - 2 * x + draw.normal(0, 0.3, len(x))
    powers = torch.tensor(np.stack([x**k for k in range(degree + 1)], 1))
    target = torch.tensor(y)[:, None]
    layer = nn.Linear(degree + 1, 1, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(torch.linalg.lstsq(powers[:count], target[:count]).solution.T)
    return error_gap(
        Supervised(layer, "regression"),
        part(powers[:count], target[:count]),
        part(powers[count:], target[count:]),
    )


def test_too_simple_and_too_free_models_differ_as_they_should():
    under, right, over = (fitted(degree, 16) for degree in (1, 3, 12))
    assert under.train["loss"] > 2 * right.train["loss"] > 2 * over.train["loss"] * 0.5
    assert over.gap["loss"] > right.gap["loss"] and over.held_out["loss"] > right.held_out["loss"]
    assert under.held_out["loss"] > right.held_out["loss"]
    assert abs(fitted(3, 1000).gap["loss"]) < right.gap["loss"]


def test_what_cannot_be_compared_is_told():
    rows = part(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(UsageError, match="no rows"):
        error_gap(Supervised(nn.Linear(3, 4), "regression"), rows, part(torch.zeros(0, 3), torch.zeros(0, 4)))
    with pytest.raises(UsageError, match="no scores"):
        error_gap(Learner(), rows, rows)
