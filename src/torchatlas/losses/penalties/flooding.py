"""Flooding: a loss that is low enough is let rise again."""

import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from .penalty import AbstractPenalty, Loss, at_least_zero


@method("flooding", year=2020, paper="arXiv:2002.08709", topics=("regularization",), tiny={"level": 3.0})
class Flooding(AbstractPenalty):
    r"""Flooding: the batch's loss L becomes $|L - b| + b$, so that it stays about b.

    That is $L + 2\max(b - L, 0)$, and this penalty the second term: above b nothing changes, below it the
    gradient turns around. b is `level`, in units of the loss. What is scored is the loss itself.
    """

    indivisible = "its flooding looks at the whole batch's loss"

    def __init__(self, level: float = 0.05):
        super().__init__(1.0)
        self.level = at_least_zero("level", level)

    def forward(self, network: nn.Module, x: Tensor, prediction: Tensor, loss: Loss) -> Tensor:
        return 2 * F.relu(self.level - loss(prediction))
