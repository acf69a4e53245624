"""The focal loss: cross entropy that turns away from what is right already."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ..reduction import checked, reduced
from .sizes import fitting, normalised_sigmoid, one_hot


@method(
    "focal_loss",
    year=2017,
    paper="arXiv:1708.02002",
    topics=("classification", "long-tail"),
)
class FocalLoss(nn.Module):
    r"""Focal loss: cross entropy times $(1 - p_y)^\gamma$, $-\alpha_y (1 - p_y)^\gamma \ln p_y$, by softmax.

    `alpha` is one factor, or one for each class. $\gamma = 0$ is cross entropy; its mean is over samples, not
    over weights as in PyTorch's weighted cross entropy.
    Shapes: scores (batch, classes) and class numbers (batch,) -> a scalar; (batch,) for `reduction="none"`.
    """

    factors: Tensor | None

    def __init__(
        self, gamma: float = 2.0, alpha: float | Sequence[float] | None = None, reduction: str = "mean"
    ):
        super().__init__()
        self.gamma, self.reduction = _at_least_zero(gamma), checked(reduction)
        self.alpha = alpha if isinstance(alpha, int | float) else 1.0
        self.register_buffer("factors", torch.tensor(alpha) if isinstance(alpha, Sequence) else None)

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        log_p = prediction.log_softmax(1).gather(1, target[:, None])[:, 0]  # (b,)
        losses = self.alpha * focal(log_p, self.gamma)
        if self.factors is not None:
            fitting(prediction, len(self.factors), "focal_loss")
            losses = self.factors.to(losses.dtype)[target] * losses
        return reduced(losses, self.reduction)


@method(
    "sigmoid_focal_loss",
    year=2017,
    paper="arXiv:1708.02002",
    topics=("classification", "multilabel", "long-tail", "detection"),
)
class SigmoidFocalLoss(nn.Module):
    r"""Sigmoid focal loss: the focal loss of each class against the rest, as detectors use it.

    $-\alpha_t (1 - p_t)^\gamma \ln p_t$ with $p_t = \sigma(z)$, $\alpha_t = \alpha$ where the label is 1, and
    $1 - \sigma(z)$, $1 - \alpha$ where it is 0. `alpha=None` leaves the factor out: $\gamma = 0$ is then the
    binary cross entropy.
    Shapes: logits (batch, classes) and labels of the same shape, or class numbers (batch,) -> a scalar, the
    mean over all labels; (batch, classes) for `reduction="none"`.
    """

    def __init__(self, gamma: float = 2.0, alpha: float | None = 0.25, reduction: str = "mean"):
        super().__init__()
        self.gamma, self.reduction = _at_least_zero(gamma), checked(reduction)
        if alpha is not None and not 0 <= alpha <= 1:
            raise UsageError(f"alpha must be between 0 and 1, not {alpha}")
        self.alpha = alpha

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        positive = one_hot(target, prediction) > 0.5
        losses = focal(F.logsigmoid(torch.where(positive, prediction, -prediction)), self.gamma)
        if self.alpha is not None:
            losses = torch.where(positive, self.alpha * losses, (1 - self.alpha) * losses)
        return reduced(losses, self.reduction)

    probabilities = staticmethod(normalised_sigmoid)


def focal(log_p: Tensor, gamma: float) -> Tensor:
    r"""$-(1 - p)^\gamma \ln p$ from $\ln p$, finite with its gradient for every p from 0 to 1."""
    if not gamma:
        return -log_p
    rest = -torch.expm1(log_p)  # 1 - p, exact near p = 1
    return rest.clamp_min(torch.finfo(rest.dtype).tiny) ** gamma * -log_p


def _at_least_zero(gamma: float) -> float:
    if not gamma >= 0:
        raise UsageError(f"gamma must be at least 0, not {gamma}")
    return gamma
