"""PolyLoss: cross entropy as a series, with its first terms turned up."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..cards.card import method
from .reduction import checked, reduced


@method("poly_loss", year=2022, paper="arXiv:2204.12511", topics=("classification",))
class PolyLoss(nn.Module):
    r"""PolyLoss: cross entropy plus $\sum_j \epsilon_j (1 - p_y)^j$, more of the first terms of its series.

    As $-\ln p = \sum_j (1 - p)^j / j$, the j-th term has the factor $1 / j + \epsilon_j$. `epsilon` is one
    number (Poly-1) or the first few (Poly-N).
    Shapes: scores (batch, classes) and class numbers (batch,) -> a scalar; (batch,) for `reduction="none"`.
    """

    def __init__(self, epsilon: float | Sequence[float] = 1.0, reduction: str = "mean"):
        super().__init__()
        self.epsilon = tuple(epsilon) if isinstance(epsilon, Sequence) else (epsilon,)
        self.reduction = checked(reduction)

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        log_p = prediction.log_softmax(1).gather(1, target[:, None])[:, 0]  # (b,)
        rest = -torch.expm1(log_p)  # 1 - p, exact near p = 1
        losses = -log_p
        for j, factor in enumerate(self.epsilon, start=1):
            losses = losses + factor * rest**j
        return reduced(losses, self.reduction)
