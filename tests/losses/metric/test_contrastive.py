import pytest
import torch

from embedded import batch, far, mean, unit
from torchatlas.engine.errors import UsageError
from torchatlas.losses.metric import ContrastiveLoss


@pytest.mark.parametrize(
    "options", [{}, {"margin": 2.5}, {"power": 1.0}, {"unit": True, "margin": 1.5}, {"power": 3.0}]
)
def test_it_is_the_mean_over_pairs(options):
    x, y = batch()
    rows = [unit(row) if options.get("unit") else row for row in x.tolist()]
    margin, power, losses = options.get("margin", 1.0), options.get("power", 2.0), []
    for i in range(len(rows)):
        for j in range(i):
            d = far(rows[i], rows[j])
            losses.append(0.5 * (d if y[i] == y[j] else max(0.0, margin - d)) ** power)
    assert ContrastiveLoss(**options)(x, y).item() == pytest.approx(mean(losses), rel=1e-12)
    total = ContrastiveLoss(**options, reduction="sum")(x, y).item()
    assert total == pytest.approx(sum(losses), rel=1e-12)


def test_known_values():
    y = torch.tensor([0, 0])
    assert ContrastiveLoss()(torch.tensor([[1.0, 2.0], [1.0, 2.0]]), y).item() == pytest.approx(0, abs=1e-30)
    assert ContrastiveLoss()(torch.tensor([[0.0, 0.0], [3.0, 4.0]]), y).item() == pytest.approx(12.5)
    other = torch.tensor([0, 1])
    assert ContrastiveLoss()(torch.tensor([[0.0, 0.0], [3.0, 4.0]]), other).item() == 0
    assert ContrastiveLoss()(torch.tensor([[0.0, 0.0], [0.0, 0.25]]), other).item() == pytest.approx(0.28125)


def test_equal_rows_of_two_classes_have_a_finite_gradient():
    x = torch.ones(2, 3, requires_grad=True)
    ContrastiveLoss()(x, torch.tensor([0, 1])).backward()
    assert torch.isfinite(x.grad).all()


def test_wrong_options_are_refused():
    for options in ({"margin": 0.0}, {"power": 0.5}):
        with pytest.raises(UsageError, match=str(next(iter(options.values())))):
            ContrastiveLoss(**options)
