import pytest
import torch
from torch import nn

from torchatlas.engine.errors import UsageError
from torchatlas.losses.penalties import Flooding


@pytest.mark.parametrize("level", [0.0, 0.3, 0.8])
def test_with_the_loss_it_is_the_paper_s_formula(level):
    scores = torch.tensor(0.5, requires_grad=True)

    def loss(prediction):
        return prediction.square()

    whole = loss(scores) + Flooding(level)(nn.Identity(), scores, scores, loss)
    assert whole.item() == pytest.approx(abs(0.25 - level) + level)
    assert whole.item() >= level - 1e-7
    whole.backward()
    assert scores.grad.item() == pytest.approx(1.0 if level < 0.25 else -1.0)


def test_it_is_of_the_whole_batch():
    assert "whole batch" in Flooding().indivisible
    with pytest.raises(UsageError, match="level"):
        Flooding(-0.1)
