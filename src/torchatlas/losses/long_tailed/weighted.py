"""Cross entropies in which rare classes weigh more."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...cards.reader import create
from ...engine.errors import UsageError
from ..reduction import checked, reduced
from .sizes import fitting, sizes_of

Base = str | Callable[..., nn.Module]  # a loss's name, its class, or what makes one


class AbstractWeighted(nn.Module):
    """A loss times a weight of the row's class; `weigh` says the weights. The mean divides by the rows.

    PyTorch's weighted cross entropy divides by the weights instead, and so forgets a factor of all of them.
    Shapes: scores (batch, classes) and class numbers (batch,) -> a scalar; (batch,) for `reduction="none"`.
    """

    weights: Tensor

    def __init__(self, class_counts: Sequence[int], reduction: str = "mean"):
        super().__init__()
        self.reduction = checked(reduction)
        self.register_buffer("weights", torch.tensor(self.weigh(sizes_of(class_counts))))

    def weigh(self, counts: list[float]) -> list[float]:
        """The weight of each class, from its number of training rows."""
        raise NotImplementedError

    def each(self, prediction: Tensor, target: Tensor) -> Tensor:  # -> (b,)
        """The rows' losses before they are weighed."""
        return F.cross_entropy(prediction, target, reduction="none")

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        fitting(prediction, len(self.weights), type(self).__name__)
        losses = self.each(prediction, target)
        return reduced(self.weights.to(losses.dtype)[target] * losses, self.reduction)


@method(
    "inverse_class_frequency",
    year=2016,
    paper="Huang et al., Learning deep representation for imbalanced classification, CVPR",
    topics=("classification", "long-tail"),
    tiny={"class_counts": (100, 10, 1)},
)
class InverseClassFrequency(AbstractWeighted):
    r"""Inverse class frequency: cross entropy times $n / n_y$, $-\frac{n}{n_y} \ln p_y$.

    $n_c$ is the number of training rows of class c, and n that of all; a class without any counts as one row.
    The mean is over rows: on balanced classes it is the number of classes times the cross entropy.
    """

    def weigh(self, counts: list[float]) -> list[float]:
        """All rows by the class's."""
        return [sum(counts) / count for count in counts]


@method(
    "cost_sensitive_ce",
    year=2002,
    paper="Japkowicz and Stephen, The class imbalance problem, Intelligent Data Analysis 6",
    topics=("classification", "long-tail"),
    tiny={"class_counts": (100, 10, 1)},
)
class CostSensitiveCE(AbstractWeighted):
    r"""Cost-sensitive cross entropy: errors on a class cost $n_{\min} / n_y$, so the rarest costs one.

    $-(n_{\min} / n_y) \ln p_y$: inverse class frequency on another scale. The mean is over rows.
    """

    def weigh(self, counts: list[float]) -> list[float]:
        """The rarest class's rows by the class's."""
        return [min(counts) / count for count in counts]


@method(
    "class_balanced_loss",
    year=2019,
    paper="arXiv:1901.05555",
    topics=("classification", "long-tail"),
    tiny={"class_counts": (100, 10, 1), "beta": 0.9},
)
class ClassBalancedLoss(AbstractWeighted):
    r"""Class-balanced loss: any loss, weighed by the inverse effective number of the class's rows.

    The effective number of n rows is $E_n = (1 - \beta^n) / (1 - \beta)$, as later rows overlap with earlier
    ones; the weights $1 / E_{n_y}$ are scaled so that they add up to the number of classes. $\beta = 0$
    weighs all alike, $\beta \to 1$ by $1 / n_y$; the paper takes 0.9 to 0.9999.
    `loss` is what is weighed, by name or a function that takes `reduction`: the softmax cross entropy,
    `focal_loss(gamma=1)`, or `sigmoid_focal_loss(gamma=0, alpha=none)` and others of each class against the
    rest, whose terms are added up. The mean is over rows.
    """

    def __init__(
        self,
        class_counts: Sequence[int],
        beta: float = 0.999,
        loss: Base = "cross_entropy",
        reduction: str = "mean",
    ):
        if not 0 <= beta < 1:
            raise UsageError(f"beta must be at least 0 and below 1, not {beta}")
        self.beta = beta
        super().__init__(class_counts, reduction)
        self.inner = create(loss, reduction="none") if isinstance(loss, str) else loss(reduction="none")

    def weigh(self, counts: list[float]) -> list[float]:
        """The inverse effective numbers, scaled to a mean of one."""
        raw = [(1 - self.beta) / (1 - self.beta**count) for count in counts]
        return [len(raw) * weight / sum(raw) for weight in raw]

    def each(self, prediction: Tensor, target: Tensor) -> Tensor:  # -> (b,)
        """The inner loss of each row."""
        losses: Tensor = self.inner(prediction, target)
        return losses if losses.ndim == 1 else losses.flatten(1).sum(1)

    def probabilities(self, scores: Tensor) -> Tensor:  # (b, k) -> (b, k)
        """Of the classes, as the inner loss reads them; by softmax where it does not say."""
        read: Callable[[Tensor], Tensor] | None = getattr(self.inner, "probabilities", None)
        return read(scores) if read else scores.softmax(1)
