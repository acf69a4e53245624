"""The ranked list loss: positives within a boundary, negatives beyond another."""

import torch
from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from .embedding import AbstractEmbeddingLoss, distances, pairs


@method(
    "ranked_list_loss",
    year=2019,
    paper="arXiv:1903.03238",
    aliases=("ranked_list",),
    topics=("classification", "metric-learning"),
)
class RankedListLoss(AbstractEmbeddingLoss):
    r"""Ranked list loss: each row's own class within $\alpha - m$ of it, the others farther than $\alpha$.

    Of a row: the mean of $d - (\alpha - m)$ over positives beyond that boundary, plus `balance` times the
    mean of $\alpha - d$ over negatives within $\alpha$, weighted by $e^{T (\alpha - d)}$ with $T$
    `temperature`. $d$ is the Euclidean distance of unit vectors and $m$ `margin`; weights are not
    differentiated. The mean is over rows.
    Shapes: embeddings (batch, width) and class numbers (batch,) -> a scalar. `held` are embeddings from which
    the weights are taken instead.
    """

    def __init__(
        self,
        alpha: float = 1.2,
        margin: float = 0.4,
        temperature: float = 10.0,
        balance: float = 1.0,
        reduction: str = "mean",
    ):
        super().__init__(unit=True, reduction=reduction)
        if not alpha >= margin >= 0:
            raise UsageError(f"alpha must be at least margin, and that at least 0, not {alpha} and {margin}")
        self.alpha, self.margin, self.temperature, self.balance = alpha, margin, temperature, balance

    def forward(self, embeddings: Tensor, labels: Tensor, held: Tensor | None = None) -> Tensor:
        far = distances(self.points(embeddings), squared=False)
        fixed = far.detach() if held is None else distances(self.points(held), squared=False).detach()
        positive, negative = pairs(labels)
        outside = far - (self.alpha - self.margin)
        late = positive & (outside > 0)
        pull = torch.where(late, outside, 0.0).sum(1) / late.sum(1).clamp_min(1)
        close = negative & (far < self.alpha)
        weight = (self.temperature * (self.alpha - fixed)).masked_fill(~close, torch.finfo(far.dtype).min)
        push = torch.where(close, weight.softmax(1) * (self.alpha - far), 0.0).sum(1)
        return self.over(pull + self.balance * push)
