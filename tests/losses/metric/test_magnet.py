import pytest
import torch

from embedded import batch, far, log_sum, mean, unit
from torchatlas.losses.metric import MagnetLoss


@pytest.mark.parametrize("alpha", [1.0, 0.0, 5.0])
@pytest.mark.parametrize("on_sphere", [False, True])
def test_it_is_the_mean_over_rows_against_the_means_of_classes(alpha, on_sphere):
    x, y = batch(rows=11, classes=4)
    rows = [unit(row) if on_sphere else row for row in x.tolist()]
    means = {}
    for k in range(4):
        mine = [r for r, label in zip(rows, y.tolist(), strict=True) if label == k]
        means[k] = [mean(column) for column in zip(*mine, strict=True)]
    spread = sum(far(r, means[k]) ** 2 for r, k in zip(rows, y.tolist(), strict=True)) / 10
    losses = []
    for r, label in zip(rows, y.tolist(), strict=True):
        others = log_sum([-(far(r, m) ** 2) / (2 * spread) for k, m in means.items() if k != label])
        losses.append(max(0.0, others + far(r, means[label]) ** 2 / (2 * spread) + alpha))
    assert MagnetLoss(alpha, on_sphere)(x, y).item() == pytest.approx(mean(losses), rel=1e-11)


def test_far_clusters_cost_nothing():
    x, y = batch()
    corners = 100 * torch.eye(3, dtype=torch.double)[y]
    assert MagnetLoss()(corners + x, y).item() == 0


def test_scale_does_not_count():
    x, y = batch()
    torch.testing.assert_close(MagnetLoss()(7 * x, y), MagnetLoss()(x, y))
