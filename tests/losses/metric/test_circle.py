import pytest
import torch

from embedded import batch, dot, log_sum, mean, soft, unit
from torchatlas.engine.errors import UsageError
from torchatlas.losses.metric import CircleLoss


@pytest.mark.parametrize(("margin", "gamma"), [(0.25, 256.0), (0.4, 80.0), (0.25, 1.0)])
def test_it_is_the_mean_over_rows_with_both_kinds_of_pairs(margin, gamma):
    x, y = batch(rows=10, classes=4)
    y[3] = 9  # alone in its class
    rows, losses, n = [unit(row) for row in x.tolist()], [], range(10)
    for a in n:
        own = [dot(rows[a], rows[k]) for k in n if k != a and y[k] == y[a]]
        others = [dot(rows[a], rows[k]) for k in n if y[k] != y[a]]
        if own:
            far = log_sum([-gamma * max(0.0, 1 + margin - s) * (s - (1 - margin)) for s in own])
            near = log_sum([gamma * max(0.0, s + margin) * (s - margin) for s in others])
            losses.append(soft(far + near))
    assert CircleLoss(margin, gamma)(x, y).item() == pytest.approx(mean(losses), rel=1e-11)


@pytest.mark.parametrize("angle", [0.3, 0.8, 2.0])
def test_one_pair_of_each_kind_on_the_circle_costs_log_two(angle):
    m = 0.25
    reach = 2**0.5 * m  # (1 - s_p)^2 + s_n^2 = 2 m^2
    s_p, s_n = 1 - reach * torch.tensor(angle).sin().item(), reach * torch.tensor(angle).cos().item()
    x = torch.tensor([[1.0, 0, 0], [s_p, (1 - s_p**2) ** 0.5, 0], [s_n, 0, (1 - s_n**2) ** 0.5]])
    y = torch.tensor([0, 0, 1])
    x = x.double()
    both = CircleLoss(m, 8.0, reduction="sum")(x, y).item()
    s_2 = (x[1] @ x[2]).item()  # the second row's own negative
    other = soft(-8 * max(0.0, 1 + m - s_p) * (s_p - 1 + m) + 8 * max(0.0, s_2 + m) * (s_2 - m))
    assert both - other == pytest.approx(0.6931471805599453, abs=1e-6)


def test_weights_are_not_differentiated():
    x, y = batch(rows=10)
    leaf = x.clone().requires_grad_()
    loss = CircleLoss(gamma=16.0)
    (grad,) = torch.autograd.grad(loss(leaf, y), leaf)
    step = torch.zeros_like(x)
    step[2, 1] = 1e-6
    moved, back = (loss(x + s * step, y, held=x) for s in (1, -1))
    assert grad[2, 1].item() == pytest.approx((moved - back).item() / 2e-6, rel=1e-4)
    free, freed = (loss(x + s * step, y) for s in (1, -1))
    assert grad[2, 1].item() != pytest.approx((free - freed).item() / 2e-6, rel=1e-2)


def test_parted_classes_cost_almost_nothing():
    x = torch.eye(3, dtype=torch.double).repeat_interleave(2, 0)
    assert CircleLoss()(x, torch.arange(3).repeat_interleave(2)).item() < 1e-12


def test_wrong_options_are_refused():
    with pytest.raises(UsageError, match="1"):
        CircleLoss(margin=1.0)
