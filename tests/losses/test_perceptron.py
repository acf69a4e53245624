import pytest
import torch

from torchatlas.engine.errors import UsageError
from torchatlas.losses import PerceptronLoss


def test_it_is_the_sum_of_wrong_scores():
    scores = torch.tensor([[2.0, -1.0, 0.5], [-0.25, 3.0, -4.0]])
    target = torch.tensor([2, 0])
    # row 0: class 0 is wrong by 2; row 1: class 0 is missed by 0.25 and class 1 is wrong by 3
    assert PerceptronLoss("none")(scores, target).tolist() == [2.0, 3.25]
    assert PerceptronLoss()(scores, target).item() == 2.625
    assert PerceptronLoss("sum")(scores, target).item() == 5.25


def test_a_score_of_zero_is_a_mistake():
    scores = torch.zeros(1, 3, requires_grad=True)
    PerceptronLoss()(scores, torch.tensor([1])).backward()
    assert scores.grad.tolist() == [[1.0, -1.0, 1.0]]


def test_right_scores_have_no_gradient():
    scores = torch.tensor([[-1.0, 1.0]], requires_grad=True)
    PerceptronLoss()(scores, torch.tensor([1])).backward()
    assert scores.grad.tolist() == [[0.0, 0.0]]


def test_an_unknown_reduction_is_refused():
    with pytest.raises(UsageError, match="average"):
        PerceptronLoss("average")
