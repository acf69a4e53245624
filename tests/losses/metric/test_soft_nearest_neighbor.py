import pytest
import torch

from embedded import batch, far, log_sum, mean, unit
from torchatlas.engine.errors import UsageError
from torchatlas.losses.metric import SoftNearestNeighbor


@pytest.mark.parametrize("temperature", [1.0, 0.1, 20.0])
@pytest.mark.parametrize("on_sphere", [False, True])
def test_it_is_the_surprise_at_a_neighbour_of_the_class(temperature, on_sphere):
    x, y = batch(rows=10, classes=4)
    rows, losses, n = [unit(r) if on_sphere else r for r in x.tolist()], [], range(10)
    for a in n:
        near = {k: -(far(rows[a], rows[k]) ** 2) / temperature for k in n if k != a}
        own = [score for k, score in near.items() if y[k] == y[a]]
        if own:
            losses.append(log_sum(list(near.values())) - log_sum(own))
    assert SoftNearestNeighbor(temperature, on_sphere)(x, y).item() == pytest.approx(mean(losses), rel=1e-11)


def test_one_class_alone_and_parted_classes_cost_nothing():
    x, y = batch()
    assert SoftNearestNeighbor()(x, 0 * y).item() == pytest.approx(0, abs=1e-12)
    parted = 20 * torch.eye(3, dtype=torch.double).repeat_interleave(2, 0)
    labels = torch.arange(3).repeat_interleave(2)
    assert SoftNearestNeighbor()(parted, labels).item() == pytest.approx(0, abs=1e-12)


def test_without_heat_the_hottest_is_a_count():
    x, y = batch()
    assert SoftNearestNeighbor(1e9)(x, y).item() == pytest.approx(torch.tensor(8 / 2).log().item(), abs=1e-6)


def test_wrong_options_are_refused():
    with pytest.raises(UsageError, match="0"):
        SoftNearestNeighbor(0.0)
