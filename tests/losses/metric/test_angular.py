from math import exp, log, radians, tan

import pytest
import torch

from embedded import batch, dot, far, mean, unit
from torchatlas.engine.errors import UsageError
from torchatlas.losses.metric import AngularLoss


@pytest.mark.parametrize("angle", [36.0, 45.0, 55.0])
@pytest.mark.parametrize("on_sphere", [True, False])
def test_hinges_are_averaged_over_all_triplets(angle, on_sphere):
    x, y = batch()
    rows = [unit(row) if on_sphere else row for row in x.tolist()]
    steep, losses, n = tan(radians(angle)) ** 2, [], range(9)
    for a in n:
        for p in n:
            for k in n:
                if a != p and y[a] == y[p] != y[k]:
                    middle = [(u + v) / 2 for u, v in zip(rows[a], rows[p], strict=True)]
                    cost = far(rows[a], rows[p]) ** 2 - 4 * steep * far(rows[k], middle) ** 2
                    losses.append(max(0.0, cost))
    assert any(losses)
    loss = AngularLoss(angle, smooth=False, unit=on_sphere)
    assert loss(x, y).item() == pytest.approx(mean(losses), rel=1e-11)


@pytest.mark.parametrize("angle", [40.0, 45.0])
def test_the_smooth_form_takes_all_negatives_of_a_pair_at_once(angle):
    x, y = batch()
    rows = [unit(row) for row in x.tolist()]
    steep, losses, n = tan(radians(angle)) ** 2, [], range(9)
    for a in n:
        for p in n:
            if a != p and y[a] == y[p]:
                both = [u + v for u, v in zip(rows[a], rows[p], strict=True)]
                ap = 2 * (1 + steep) * dot(rows[a], rows[p])
                losses.append(
                    log(1 + sum(exp(4 * steep * dot(both, rows[k]) - ap) for k in n if y[k] != y[a]))
                )
    assert AngularLoss(angle)(x, y).item() == pytest.approx(mean(losses), rel=1e-11)


def test_hinges_grow_with_the_square_of_the_scale():
    x, y = batch()
    loss = AngularLoss(smooth=False, unit=False)
    torch.testing.assert_close(loss(3 * x, y), 9 * loss(x, y))


def test_wrong_angles_are_refused():
    with pytest.raises(UsageError, match="90"):
        AngularLoss(90.0)
