"""Cross entropies of scores that are shifted by how frequent classes are."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ..reduction import checked
from .sizes import fitting, sizes_of


class AbstractShifted(nn.Module):
    """The cross entropy of scores plus a shift of each class, which predictions do without."""

    shift: Tensor

    def __init__(self, shift: list[float], reduction: str = "mean"):
        super().__init__()
        self.reduction = checked(reduction)
        self.register_buffer("shift", torch.tensor(shift))

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        fitting(prediction, len(self.shift), type(self).__name__)
        return F.cross_entropy(prediction + self.shift.to(prediction.dtype), target, reduction=self.reduction)


@method(
    "logit_adjustment",
    year=2020,
    paper="arXiv:2007.07314",
    topics=("classification", "long-tail"),
    tiny={"class_counts": (100, 10, 1)},
)
class LogitAdjustment(AbstractShifted):
    r"""Logit adjustment: the cross entropy of $z + \tau \ln \pi$, the classes' shares added in logarithms.

    $\pi_c$ is class c's share of the training rows (a class without any counts as one row). What is learned
    in z is then how each class looks, not how often it comes: at prediction z alone is read, and for
    $\tau = 1$ it is the best for the mean error of the classes. A uniform $\pi$ gives cross entropy.
    Shapes: scores (batch, classes) and class numbers (batch,) -> a scalar; (batch,) for `reduction="none"`.
    """

    def __init__(self, class_counts: Sequence[int], tau: float = 1.0, reduction: str = "mean"):
        super().__init__(_log_shares(class_counts, tau), reduction)


@method(
    "balanced_softmax",
    year=2020,
    paper="arXiv:2007.10740",
    topics=("classification", "long-tail"),
    tiny={"class_counts": (100, 10, 1)},
)
class BalancedSoftmax(AbstractShifted):
    r"""Balanced softmax: cross entropy with classes counted as often as they are trained, $z_i + \ln n_i$.

    $-\ln (n_y e^{z_y} / \sum_i n_i e^{z_i})$ with $n_c$ the training rows of class c, at least one. It is
    logit adjustment with $\tau = 1$, as a common factor of all n changes nothing. Predictions read z alone.
    Shapes: scores (batch, classes) and class numbers (batch,) -> a scalar; (batch,) for `reduction="none"`.
    """

    def __init__(self, class_counts: Sequence[int], reduction: str = "mean"):
        super().__init__([math.log(count) for count in sizes_of(class_counts)], reduction)


def adjusted(scores: Tensor, class_counts: Sequence[int], tau: float = 1.0) -> Tensor:  # (b, k) -> (b, k)
    r"""Scores of a network that cross entropy has trained, with $\tau \ln \pi$ taken off afterwards.

    The other way to adjust logits; do not use both.
    """
    fitting(scores, len(class_counts), "the adjustment")
    return scores - scores.new_tensor(_log_shares(class_counts, tau))


def _log_shares(class_counts: Sequence[int], tau: float) -> list[float]:
    if not math.isfinite(tau):
        raise UsageError(f"tau must be a finite number, not {tau}")
    counts = sizes_of(class_counts)
    return [tau * math.log(count / sum(counts)) for count in counts]
