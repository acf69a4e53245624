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


class Median(AbstractMetric):
    def __init__(self, width: int = 2):
        super().__init__()
        self.add_rows("errors", width)
        self.add_sum("count")

    def update(self, prediction, target):
        self.keep("errors", prediction - target)
        self.count += len(target)

    def compute(self):
        return self.errors.median(0).values


def test_sums_add_up_and_are_forgotten():
    left, right = Mean(), Mean()
    left(torch.ones(3, 2), torch.zeros(3, 2))
    right.update(torch.full((1, 2), 5.0), torch.zeros(1, 2))
    left.merge(right)
    assert left.compute().tolist() == [2, 2] and right.compute().tolist() == [5, 5]
    left.reset()
    assert left.count == 0 and left.compute().isnan().all()


def test_rows_are_put_together_and_forgotten():
    left, right = Median(), Median()
    left(torch.tensor([[1.0, 2], [5, 6]]), torch.zeros(2, 2))
    right.update(prediction=torch.tensor([[3.0, 1]]), target=torch.zeros(1, 2))
    left.merge(right)
    assert left.errors.tolist() == [[1, 2], [5, 6], [3, 1]] and left.count == 3
    assert left.compute().tolist() == [3, 2] and right.compute().tolist() == [3, 1]
    left.reset()
    assert left.errors.shape == (0, 2) and left.count == 0
    left(torch.ones(1, 2), torch.zeros(1, 2))
    assert left.compute().tolist() == [1, 1]


@pytest.mark.parametrize("kind", [Mean, Median])
def test_state_goes_where_the_module_goes(kind):
    metric, other = kind(), kind()
    metric.update(torch.ones(3, 2), torch.zeros(3, 2))
    other.load_state_dict(metric.state_dict())
    assert torch.equal(other.compute(), metric.compute())
    other.update(torch.ones(1, 2), torch.zeros(1, 2))
    assert other.count == 4
    assert all(buffer.is_meta for buffer in metric.to("meta").buffers())


def test_state_inside_another_module_is_found():
    outer, other = (torch.nn.ModuleDict({"score": Median()}) for _ in range(2))
    outer["score"].update(torch.ones(3, 2), torch.zeros(3, 2))
    other.load_state_dict(outer.state_dict())
    assert torch.equal(other["score"].errors, outer["score"].errors)


@pytest.mark.parametrize("other", [Mean(3), MeanIoU(2), Median()])
def test_metrics_of_another_kind_or_size_are_not_merged(other):
    with pytest.raises(UsageError, match="cannot be merged"):
        Mean().merge(other)
    with pytest.raises(UsageError, match="cannot be merged"):
        Median(1).merge(Median(2))
