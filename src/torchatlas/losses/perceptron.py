"""The perceptron criterion: the loss whose subgradient is Rosenblatt's rule."""

import torch
from torch import Tensor, nn

from ..cards.card import method
from .reduction import checked, reduced


@method(
    "perceptron_loss",
    year=1958,
    paper="Rosenblatt, The perceptron, Psychological Review 65",
    topics=("classification",),
)
class PerceptronLoss(nn.Module):
    r"""Perceptron criterion: how far scores lie on the wrong side, $\sum_k \max(0, -y_k s_k)$.

    One class against the rest: $y_k$ is 1 for the sample's class and -1 for the others. Where $y_k s_k \le 0$
    the gradient in $s_k$ is $-y_k$, at zero too, so that SGD takes a first step from weights of zero.
    Shapes: scores (batch, classes) and class numbers (batch,) -> a scalar; (batch,) for `reduction="none"`.
    """

    def __init__(self, reduction: str = "mean"):
        super().__init__()
        self.reduction = checked(reduction)

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        rest = torch.arange(prediction.shape[1], device=prediction.device) != target[:, None]  # (b, k)
        margin = torch.where(rest, -prediction, prediction)  # (b, k)
        loss = torch.where(margin <= 0, -margin, 0.0).sum(1)  # (b,)
        return reduced(loss, self.reduction)
