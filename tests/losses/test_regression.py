import pytest
import torch

from torchatlas import create

FORMULAS = {
    "mse_loss": lambda d: d * d,
    "l1_loss": abs,
    "smooth_l1": lambda d: d * d / 2 if abs(d) < 1 else abs(d) - 0.5,
}
PREDICTION, TARGET = [1.0, 2.0, -0.5, 4.0, 0.0], [0.0, 4.0, -0.25, 4.0, 0.75]


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("name", FORMULAS)
def test_it_is_the_formula(name, reduction):
    each = [FORMULAS[name](p - t) for p, t in zip(PREDICTION, TARGET, strict=True)]
    expected = {"none": each, "sum": sum(each), "mean": sum(each) / len(each)}[reduction]
    prediction, target = (torch.tensor(x, dtype=torch.double) for x in (PREDICTION, TARGET))
    assert create(name, reduction=reduction)(prediction, target).tolist() == pytest.approx(
        expected, abs=1e-12
    )


def test_smooth_l1_keeps_slope_one_far_away_whatever_beta():
    loss = create("smooth_l1", beta=0.5, reduction="none")(torch.tensor([0.25, 3.0]), torch.zeros(2))
    assert loss.tolist() == [0.25**2 / (2 * 0.5), 3 - 0.5 / 2]


@pytest.mark.parametrize(("name", "expected"), [("mse_loss", 2.5), ("l1_loss", 1.5)])
def test_known_values(name, expected):
    assert create(name)(torch.tensor([1.0, 2.0]), torch.tensor([0.0, 4.0])).item() == expected


@pytest.mark.parametrize(("name", "best"), [("mse_loss", 4.0), ("l1_loss", 2.0)])
def test_the_best_constant(name, best):
    target = torch.tensor([0.0, 1.0, 2.0, 3.0, 14.0], dtype=torch.double)
    losses = {c / 4: create(name)(torch.full_like(target, c / 4), target).item() for c in range(60)}
    assert min(losses, key=losses.__getitem__) == best
