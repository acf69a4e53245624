"""The circle loss: every cosine weighted by how far it is from where it should be."""

from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from .embedding import AbstractEmbeddingLoss, log_one_plus, log_sum, pairs


@method(
    "circle_loss",
    year=2020,
    paper="arXiv:2002.10857",
    topics=("classification", "metric-learning", "faces"),
)
class CircleLoss(AbstractEmbeddingLoss):
    r"""Circle loss: cosines weighted by how far each is from where it should be, of one class or of two.

    For a row: $\log(1 + \sum_n e^{\gamma \alpha_n (s_n - m)} \sum_p e^{-\gamma \alpha_p (s_p - 1 + m)})$ with
    $\alpha_p = \max(0, 1 + m - s_p)$ and $\alpha_n = \max(0, s_n + m)$, which are not differentiated: what is
    farther from its aim moves faster. The boundary between good and bad is the circle
    $(1 - s_p)^2 + s_n^2 = 2 m^2$. The mean is over rows with pairs of both kinds. `margin` is $m$ and `gamma`
    $\gamma$; 0.25 and 256 are the paper's for faces, 0.4 and 80 for retrieval.
    Shapes: embeddings (batch, width) and class numbers (batch,) -> a scalar. `held` are embeddings from which
    the weights are taken instead.
    """

    def __init__(self, margin: float = 0.25, gamma: float = 256.0, reduction: str = "mean"):
        super().__init__(unit=True, reduction=reduction)
        if not (0 <= margin < 1 and gamma > 0):
            raise UsageError(f"margin must be in 0..1 and gamma above 0, not {margin} and {gamma}")
        self.margin, self.gamma = margin, gamma

    def forward(self, embeddings: Tensor, labels: Tensor, held: Tensor | None = None) -> Tensor:
        m = self.margin
        cosine = self._cosines(embeddings)
        fixed = (cosine if held is None else self._cosines(held)).detach()
        positive, negative = pairs(labels)
        far = log_sum(-self.gamma * (1 + m - fixed).relu() * (cosine - 1 + m), positive)
        near = log_sum(self.gamma * (fixed + m).relu() * (cosine - m), negative)
        return self.over(log_one_plus(far + near), positive.any(1) & negative.any(1))

    def _cosines(self, embeddings: Tensor) -> Tensor:  # (b, d) -> (b, b)
        points = self.points(embeddings)
        return points @ points.mT
