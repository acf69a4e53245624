import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.metrics import AbstractMetric, MeanIoU


class Mean(AbstractMetric):
    def __init__(self, width: int = 2):
        super().__init__()
        self.add_sum("total", width, dtype=torch.double)
        self.add_sum("count")

    def update(self, prediction, target):
        self.total += (prediction - target).sum(0)
        self.count += len(target)

    def compute(self):
        return self.total / self.count


def test_sums_add_up_and_are_forgotten():
    left, right = Mean(), Mean()
    left(torch.ones(3, 2), torch.zeros(3, 2))
    right.update(torch.full((1, 2), 5.0), torch.zeros(1, 2))
    left.merge(right)
    assert left.compute().tolist() == [2, 2] and right.compute().tolist() == [5, 5]
    left.reset()
    assert left.count == 0 and left.compute().isnan().all()


def test_state_goes_where_the_module_goes():
    metric, other = Mean(), Mean()
    metric.update(torch.ones(3, 2), torch.zeros(3, 2))
    other.load_state_dict(metric.state_dict())
    assert torch.equal(other.compute(), metric.compute())
    assert metric.to("meta").total.is_meta


@pytest.mark.parametrize("other", [Mean(3), MeanIoU(2)])
def test_metrics_of_another_kind_or_size_are_not_merged(other):
    with pytest.raises(UsageError, match="cannot be merged"):
        Mean().merge(other)
