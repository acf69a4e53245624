"""The loss of dark knowledge: a teacher's softened probabilities beside the classes themselves."""

import math

import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ..reduction import checked, reduced


@method(
    "kd_loss",
    year=2015,
    paper="arXiv:1503.02531",
    topics=("distillation",),
)
class KDLoss(nn.Module):
    r"""Dark-knowledge loss: $\alpha T^2 \mathrm{KL}(p_t \| p_s) + (1 - \alpha)\,\mathrm{CE}(y, z_s)$.

    $p = \mathrm{softmax}(z / T)$ of the teacher's and the student's logits; the cross entropy is at
    temperature 1. The first part's gradient by the student's logits is $\alpha T (p_s - p_t)$: with the
    factor $T^2$ its size hardly depends on the temperature, and for $T \to \infty$ it is
    $\alpha (z_s - z_t) / k$, regression on the k logits once each row's mean is taken away.
    Shapes: logits (batch, k) and (teacher's logits (batch, k), class numbers (batch,)) -> a scalar, the mean
    over samples; (batch,) for `reduction="none"`.
    """

    def __init__(self, temperature: float = 4.0, alpha: float = 0.9, reduction: str = "mean"):
        super().__init__()
        if not (temperature > 0 and math.isfinite(temperature)):
            raise UsageError(f"temperature must be above 0, not {temperature}")
        if not 0 <= alpha <= 1:
            raise UsageError(f"alpha must be between 0 and 1, not {alpha}")
        self.temperature, self.alpha, self.reduction = temperature, alpha, checked(reduction)

    def forward(self, prediction: Tensor, target: tuple[Tensor, Tensor]) -> Tensor:
        aim, y = target
        losses = (1 - self.alpha) * F.cross_entropy(prediction, y, reduction="none")
        losses = losses + self.alpha * self.temperature**2 * soft_divergence(
            prediction, aim, self.temperature
        )
        return reduced(losses, self.reduction)


def soft_divergence(prediction: Tensor, aim: Tensor, temperature: float) -> Tensor:  # (b, k), (b, k) -> (b,)
    r"""$\mathrm{KL}(p_t \| p_s)$ of each row at a temperature, from logits; classes ruled out by -inf too."""
    p = (aim / temperature).softmax(1)
    return F.kl_div((prediction / temperature).log_softmax(1), p, reduction="none").sum(1)
