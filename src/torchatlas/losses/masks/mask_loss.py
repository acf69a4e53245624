"""What losses of segmentations have in common: scores and classes at every pixel, some of them ignored."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...engine.errors import UsageError
from ..reduction import checked, reduced_or_zero, single


class AbstractMaskLoss(nn.Module):
    """A loss of each image's scores beside the classes of its pixels; what it is says `losses`.

    Scores (batch, classes, …) are read by softmax, those of one class alone (batch, 1, …) by the sigmoid: the
    classes are then 0 and 1, and only class 1 is compared. Pixels whose class is `ignore_index` do not count;
    an image without any other one has loss and gradient zero. Half precision is worked out in float32, which
    the loss then has. The mean of no images is zero.
    Shapes: scores (batch, classes, …) and class numbers (batch, …) -> a scalar; (batch,) for
    `reduction="none"`. Errors: `UsageError` for shapes that do not fit.
    """

    def __init__(self, ignore_index: int = -100, reduction: str = "mean"):
        super().__init__()
        self.ignore_index, self.reduction = ignore_index, checked(reduction)

    def losses(self, scores: Tensor, truth: Tensor, counted: Tensor) -> Tensor:  # -> (b,)
        """The loss of each image: scores (b, c, …), class numbers (b, …) and which pixels count (b, …)."""
        raise NotImplementedError

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        fits = prediction.ndim > 2 and prediction.shape[:1] + prediction.shape[2:] == target.shape
        if not fits or target.is_floating_point():
            raise UsageError(
                "a loss of masks wants scores (batch, classes, …) and whole class numbers (batch, …); got "
                f"{tuple(prediction.shape)} and {target.dtype} of {tuple(target.shape)}"
            )
        counted = target != self.ignore_index
        losses = self.losses(single(prediction), target.long().where(counted, 0), counted)
        return reduced_or_zero(losses, self.reduction)


def probabilities(scores: Tensor) -> Tensor:  # (b, c, …) -> the same
    """Those of the classes; of class 1 where there is one class."""
    return scores.sigmoid() if scores.shape[1] == 1 else scores.softmax(1)


def members(truth: Tensor, classes: int) -> Tensor:  # (b, …) -> (b, c, …)
    """Which pixels are of each class; of class 1 where there is one class."""
    first = 1 if classes == 1 else 0
    numbers = torch.arange(first, first + classes, device=truth.device)
    return truth[:, None] == numbers.view(-1, *[1] * (truth.ndim - 1))


def cross_entropy(scores: Tensor, truth: Tensor) -> Tensor:  # (b, c, …), (b, …) -> (b, …)
    """That of each pixel."""
    if scores.shape[1] == 1:
        return F.softplus(torch.where(truth > 0, -scores[:, 0], scores[:, 0]))
    return -scores.log_softmax(1).gather(1, truth[:, None])[:, 0]


def ratio(part: Tensor, whole: Tensor, empty: float = 1.0) -> Tensor:
    """Part over whole; `empty` with gradient zero where the whole is nothing."""
    there = whole > 0
    return (part / whole.where(there, 1)).where(there, empty)
