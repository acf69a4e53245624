"""The N-pair loss: a pair against all rows of other classes at once."""

from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from .embedding import AbstractEmbeddingLoss, log_one_plus, log_sum, pairs


@method(
    "n_pair_loss",
    year=2016,
    paper="Sohn, NeurIPS",
    aliases=("n_pair",),
    topics=("classification", "metric-learning"),
)
class NPairLoss(AbstractEmbeddingLoss):
    r"""N-pair loss: $\log(1 + \sum_n e^{a^T n - a^T p})$, a cross entropy with the positive as the class.

    It is averaged over all ordered pairs $(a, p)$ of one class; $n$ runs over the rows of other classes. The
    embeddings are compared as they are, unless `unit`, and kept short by `length` times the mean of
    $\|a\|^2$ and $\|p\|^2$. The paper draws one pair per class; any batch will do here.
    Shapes: embeddings (batch, width) and class numbers (batch,) -> a scalar.
    """

    def __init__(self, length: float = 0.002, unit: bool = False, reduction: str = "mean"):
        super().__init__(unit, reduction)
        if not length >= 0:
            raise UsageError(f"length must be at least 0, not {length}")
        self.length = length

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        points = self.points(embeddings)
        score = points @ points.mT  # (b, b)
        positive, negative = pairs(labels)
        lag = log_sum(score, negative)[:, None] - score  # of each anchor and positive
        squares = points.square().sum(1)
        return self.over(log_one_plus(lag) + self.length / 2 * (squares[:, None] + squares), positive)
