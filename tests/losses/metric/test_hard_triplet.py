import pytest
import torch

from embedded import batch, far, mean, soft, unit
from torchatlas.engine.errors import UsageError
from torchatlas.losses.metric import BatchHardTriplet, QuadrupletLoss


def rows_of(x, on_sphere):
    return [unit(row) if on_sphere else row for row in x.tolist()]


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("on_sphere", [False, True])
@pytest.mark.parametrize("margin", [None, 0.0, 0.7])
def test_batch_hard_triplet_by_enumeration(margin, on_sphere, squared):
    x, y = batch(rows=10, classes=4)
    rows, losses = rows_of(x, on_sphere), []
    for a in range(10):
        own = [far(rows[a], rows[k]) for k in range(10) if k != a and y[k] == y[a]]
        others = [far(rows[a], rows[k]) for k in range(10) if y[k] != y[a]]
        if own and others:
            lag = max(own) ** 2 - min(others) ** 2 if squared else max(own) - min(others)
            losses.append(soft(lag) if margin is None else max(0.0, lag + margin))
    loss = BatchHardTriplet(margin, squared, on_sphere)
    assert loss(x, y).item() == pytest.approx(mean(losses), rel=1e-12)


def test_batch_hard_triplet_leaves_out_rows_without_a_fellow():
    x, y = batch(rows=5)[0], torch.tensor([0, 0, 1, 2, 3])
    whole = BatchHardTriplet(reduction="sum")(x, y)
    assert whole.item() == pytest.approx(2 * BatchHardTriplet()(x, y).item(), rel=1e-12)


@pytest.mark.parametrize("margins", [(1.0, 0.5), (0.3, 0.3), (2.0, 0.0)])
@pytest.mark.parametrize("on_sphere", [True, False])
@pytest.mark.parametrize("classes", [3, 4])
def test_quadruplet_loss_by_enumeration(classes, on_sphere, margins):
    x, y = batch(rows=10, classes=classes, seed=classes)
    rows, losses = rows_of(x, on_sphere), []
    n = range(10)
    for i in n:
        near = min(far(rows[i], rows[k]) ** 2 for k in n if y[k] != y[i])
        elsewhere = min(
            far(rows[k], rows[m]) ** 2 for k in n for m in n if y[k] != y[i] != y[m] and y[k] != y[m]
        )
        for j in n:
            if i != j and y[i] == y[j]:
                d = far(rows[i], rows[j]) ** 2
                losses.append(max(0.0, d - near + margins[0]) + max(0.0, d - elsewhere + margins[1]))
    assert QuadrupletLoss(*margins, on_sphere)(x, y).item() == pytest.approx(mean(losses), rel=1e-12)


def test_quadruplet_loss_of_two_classes_is_that_of_hard_triplets():
    x, y = batch(rows=8, classes=2)
    rows, losses = rows_of(x, True), []
    for i in range(8):
        near = min(far(rows[i], rows[k]) ** 2 for k in range(8) if y[k] != y[i])
        own = (far(rows[i], rows[j]) ** 2 for j in range(8) if j != i and y[j] == y[i])
        losses += [max(0.0, d - near + 1.0) for d in own]
    assert QuadrupletLoss()(x, y).item() == pytest.approx(mean(losses), rel=1e-12)


def test_wrong_options_are_refused():
    with pytest.raises(UsageError, match=r"-0\.1"):
        BatchHardTriplet(-0.1)
    with pytest.raises(UsageError, match=r"0\.7"):
        QuadrupletLoss(0.5, 0.7)
