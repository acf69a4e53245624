from math import exp, log

import pytest
import torch

from embedded import batch, far, mean, unit
from torchatlas.engine.errors import UsageError
from torchatlas.losses.metric import LiftedStructured


@pytest.mark.parametrize("margin", [1.0, 0.4])
@pytest.mark.parametrize("on_sphere", [False, True])
def test_it_weighs_each_pair_against_both_rows_negatives(margin, on_sphere):
    x, y = batch()
    rows, losses, hard, n = [unit(r) if on_sphere else r for r in x.tolist()], [], [], range(9)
    for i in n:
        for j in range(i):
            if y[i] == y[j]:
                others = [far(rows[e], rows[k]) for e in (i, j) for k in n if y[k] != y[i]]
                smooth = far(rows[i], rows[j]) + log(sum(exp(margin - d) for d in others))
                losses.append(max(0.0, smooth) ** 2 / 2)
                hard.append(max(0.0, far(rows[i], rows[j]) + margin - min(others)) ** 2 / 2)
    loss = LiftedStructured(margin, on_sphere)(x, y).item()
    assert loss == pytest.approx(mean(losses), rel=1e-11)
    assert loss >= mean(hard)  # the smooth form is above that of the nearest negative


def test_far_negatives_cost_nothing():
    x = 30 * torch.eye(3, dtype=torch.double).repeat_interleave(2, 0)
    assert LiftedStructured()(x, torch.tensor([0, 0, 1, 1, 2, 2])).item() == 0


def test_wrong_options_are_refused():
    with pytest.raises(UsageError, match="-1"):
        LiftedStructured(-1.0)
