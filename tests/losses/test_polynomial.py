from math import exp, log

import pytest
import torch
import torch.nn.functional as F

from torchatlas.engine.errors import UsageError
from torchatlas.losses import PolyLoss

SCORES, TARGET = [[2.0, 1.0, 0.0], [-1.0, 0.5, 3.0], [30.0, 0.2, -25.0], [0.3, 0.2, 0.1]], [2, 1, 0, 0]


def share(z, y):
    return exp(z[y]) / sum(map(exp, z))


def double(values):
    return torch.tensor(values, dtype=torch.double)


def test_the_known_value():
    assert PolyLoss()(double([[2.0, 1.0, 0.0]]), torch.tensor([2])).item() == pytest.approx(
        3.317575, abs=5e-7
    )


@pytest.mark.parametrize("epsilon", [1.0, -0.5, 2.0, (1.0, 0.5), (0.0, 0.0, 3.0)])
def test_terms_of_the_series_are_turned_up(epsilon):
    factors = epsilon if isinstance(epsilon, tuple) else (epsilon,)
    each = []
    for z, y in zip(SCORES, TARGET, strict=True):
        p = share(z, y)
        each.append(-log(p) + sum(e * (1 - p) ** j for j, e in enumerate(factors, start=1)))
    got = PolyLoss(epsilon, "none")(double(SCORES), torch.tensor(TARGET))
    assert got.tolist() == pytest.approx(each, abs=1e-12)


def test_with_all_terms_taken_off_nothing_is_left():
    """The series itself: of a p near one, its first terms are the cross entropy."""
    z, y = double([[2.0, 0.0]]), torch.tensor([0])
    off = PolyLoss([-1 / j for j in range(1, 60)])(z, y)
    assert off.item() == pytest.approx(0.0, abs=1e-12)
    assert torch.equal(PolyLoss(())(z, y), F.cross_entropy(z, y))


def test_wrong_words_are_refused():
    with pytest.raises(UsageError, match="average"):
        PolyLoss(reduction="average")
