"""Margin loss: a class that is there is to score high, one that is not there low, each by itself."""

import torch
from torch import Tensor, nn

from ..cards.card import method
from .reduction import checked, reduced


@method("margin_loss", year=2017, paper="arXiv:1710.09829", topics=("classification",))
class MarginLoss(nn.Module):
    r"""Margin loss: scores of classes that are there above $m^+$, those of the others below $m^-$.

    $\sum_k T_k \max(0, m^+ - s_k)^2 + \lambda (1 - T_k) \max(0, s_k - m^-)^2$ for scores from 0 to 1, such as
    capsules' lengths; λ (`down`) keeps the many classes that are absent from shrinking all scores at first.
    `probabilities` are shares of the scores' sum. Several classes may be there at once.
    Shapes: scores (batch, classes) and class numbers (batch,), or T itself (batch, classes) -> a scalar;
    (batch,) for `reduction="none"`.
    """

    def __init__(self, high: float = 0.9, low: float = 0.1, down: float = 0.5, reduction: str = "mean"):
        super().__init__()
        self.high, self.low, self.down = high, low, down
        self.reduction = checked(reduction)

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        there = presence(target, prediction)
        missing = (self.high - prediction).clamp_min(0).square()
        present = (prediction - self.low).clamp_min(0).square()
        return reduced((there * missing + self.down * (1 - there) * present).sum(1), self.reduction)

    def probabilities(self, scores: Tensor) -> Tensor:  # (b, k) -> (b, k)
        """Each class's share of all scores; equal shares where no score is above zero."""
        shares = scores.clamp_min(0) + torch.finfo(scores.dtype).tiny
        return shares / shares.sum(1, keepdim=True)


def presence(target: Tensor, like: Tensor) -> Tensor:  # (b,) or (b, k) -> (b, k)
    """1 for each class that is there, else 0."""
    if target.ndim == 2:
        return target.to(like.dtype)
    return (torch.arange(like.shape[1], device=target.device) == target[:, None]).to(like.dtype)
