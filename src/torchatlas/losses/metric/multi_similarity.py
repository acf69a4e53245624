"""The multi-similarity loss: a row's pairs weighted by each other, and the miner of those that count."""

from collections.abc import Callable

from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from .embedding import AbstractEmbeddingLoss, largest, log_one_plus, log_sum, pairs, smallest


class MultiSimilarityMiner:
    """Which pairs of a row teach: those out of order by less than `epsilon`, in cosines.

    A row of another class counts where it is more alike than the least alike row of one's own; one of one's
    own where it is less alike than the most alike row of another. `epsilon` is added to the rival.
    """

    def __init__(self, epsilon: float = 0.1):
        self.epsilon = epsilon

    def __call__(self, similarity: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Which pairs of one class and which of two are taken, (b, b) each."""
        fixed = similarity.detach()
        positive, negative = pairs(labels)
        least, most = smallest(fixed, positive)[:, None], largest(fixed, negative)[:, None]
        return positive & (fixed - self.epsilon < most), negative & (fixed + self.epsilon > least)


@method("multi_similarity", year=2019, paper="arXiv:1904.06627", topics=("classification", "metric-learning"))
class MultiSimilarity(AbstractEmbeddingLoss):
    r"""Multi-similarity loss: all pairs of a row in two sums, each pair weighted by itself and by the others.

    For a row with cosines $s$: $\log(1 + \sum_p e^{-\alpha (s_p - \lambda)}) / \alpha$ over its class plus
    $\log(1 + \sum_n e^{\beta (s_n - \lambda)}) / \beta$ over the others; $\lambda$ is `base`, and the mean is
    over rows. Pairs are those of `MultiSimilarityMiner`, or all where `epsilon` is None. The paper states a
    base of 1; 0.5 is that of its published experiments.
    Shapes: embeddings (batch, width) and class numbers (batch,) -> a scalar.
    """

    def __init__(
        self,
        alpha: float = 2.0,
        beta: float = 50.0,
        base: float = 0.5,
        epsilon: float | None = 0.1,
        reduction: str = "mean",
    ):
        super().__init__(unit=True, reduction=reduction)
        if not (alpha > 0 and beta > 0):
            raise UsageError(f"alpha and beta must be above 0, not {alpha} and {beta}")
        self.alpha, self.beta, self.base = alpha, beta, base
        self.miner: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] = (
            pairs_of_all if epsilon is None else MultiSimilarityMiner(epsilon)
        )

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        points = self.points(embeddings)
        similarity = points @ points.mT  # (b, b)
        positive, negative = self.miner(similarity, labels)
        lead = similarity - self.base
        pull = log_one_plus(log_sum(-self.alpha * lead, positive)) / self.alpha
        push = log_one_plus(log_sum(self.beta * lead, negative)) / self.beta
        return self.over(pull + push)


def pairs_of_all(similarity: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Every pair, whatever its similarity."""
    return pairs(labels)
