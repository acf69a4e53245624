"""Losses of detectors' scores, which tell how well a box fits as well as what is in it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..cards.card import method
from ..engine.errors import UsageError
from .long_tailed.sizes import normalised_sigmoid, one_hot
from .reduction import checked, reduced


class AbstractQuality(nn.Module):
    """A loss of each class's score against a quality from 0 to 1, summed over classes."""

    def __init__(self, reduction: str):
        super().__init__()
        self.reduction = checked(reduction)

    def each(self, prediction: Tensor, quality: Tensor) -> Tensor:  # -> (b, k)
        """The loss of each score, from logits and qualities of the same shape."""
        raise NotImplementedError

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        losses = self.each(prediction, one_hot(target, prediction))
        return reduced(losses.sum(1), self.reduction)

    probabilities = staticmethod(normalised_sigmoid)


@method(
    "qfl",
    year=2020,
    paper="arXiv:2006.04388",
    aliases=("quality_focal_loss",),
    topics=("classification", "multilabel", "detection"),
)
class QualityFocalLoss(AbstractQuality):
    r"""Quality focal loss: the focal loss of soft labels, $|y - \sigma|^\beta \, \mathrm{BCE}(\sigma, y)$.

    y is 0 for other classes, and for the sample's own the quality of its box, such as its IoU; the loss is
    least, zero, at $\sigma = y$. For y of 0 or 1 it is the focal loss without $\alpha$.
    Shapes: logits (batch, classes) and qualities of the same shape, or class numbers (batch,), of quality 1
    -> a scalar, the mean over rows of the sum over classes; (batch,) for `reduction="none"`.
    """

    def __init__(self, beta: float = 2.0, reduction: str = "mean"):
        super().__init__(reduction)
        if not beta > 0:
            raise UsageError(f"beta must be above 0, not {beta}")
        self.beta = beta

    def each(self, prediction: Tensor, quality: Tensor) -> Tensor:  # -> (b, k)
        """The binary cross entropy by the distance to the quality."""
        losses = F.binary_cross_entropy_with_logits(prediction, quality, reduction="none")
        return _power(quality - prediction.sigmoid(), self.beta) * losses


@method(
    "varifocal_loss",
    year=2020,
    paper="arXiv:2008.13367",
    topics=("classification", "multilabel", "detection"),
)
class VarifocalLoss(AbstractQuality):
    r"""Varifocal loss: easy negatives count less, positives by their quality q, $q \, \mathrm{BCE}(p, q)$.

    For q = 0 it is $-\alpha p^\gamma \ln(1 - p)$ with $p = \sigma(z)$. The least loss of a positive is at p =
    q and is not zero unless q = 1.
    Shapes: logits (batch, classes) and qualities of the same shape, or class numbers (batch,), of quality 1
    -> a scalar, the mean over rows of the sum over classes; (batch,) for `reduction="none"`.
    """

    def __init__(self, alpha: float = 0.75, gamma: float = 2.0, reduction: str = "mean"):
        super().__init__(reduction)
        if not (alpha >= 0 and gamma > 0):
            raise UsageError(f"alpha is at least 0 and gamma above 0, not alpha={alpha}, gamma={gamma}")
        self.alpha, self.gamma = alpha, gamma

    def each(self, prediction: Tensor, quality: Tensor) -> Tensor:  # -> (b, k)
        """The binary cross entropy, weighed in one way for positives and another for negatives."""
        losses = F.binary_cross_entropy_with_logits(prediction, quality, reduction="none")
        easy = self.alpha * _power(prediction.sigmoid(), self.gamma)
        return torch.where(quality > 0, quality, easy) * losses


@method(
    "dfl",
    year=2020,
    paper="arXiv:2006.04388",
    aliases=("distribution_focal_loss",),
    topics=("detection",),
)
class DistributionFocalLoss(nn.Module):
    r"""Distribution focal loss: cross entropy of a number between two of the places 0, 1 … n.

    $-((i + 1 - y) \ln S_i + (y - i) \ln S_{i+1})$ with i the whole part of y and S the softmax over places.
    It is least where $S_i = i + 1 - y$ and $S_{i+1} = y - i$, so that the mean of S is y.
    Shapes: scores (batch, n + 1) and numbers (batch,) from 0 to n -> a scalar; (batch,) for
    `reduction="none"`. Numbers beyond are taken to the nearest place.
    """

    def __init__(self, reduction: str = "mean"):
        super().__init__()
        self.reduction = checked(reduction)

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        if prediction.shape[1] < 2:
            raise UsageError("a distribution over places needs at least two scores a row, 0 and 1")
        last = prediction.shape[1] - 1
        y = target.clamp(0, last)
        left = y.long().clamp(max=last - 1)  # (b,)
        share = (y - left).to(prediction.dtype)
        log_p = prediction.log_softmax(1)
        low, high = (log_p.gather(1, (left + k)[:, None])[:, 0] for k in (0, 1))
        return reduced(-((1 - share) * low + share * high), self.reduction)


def _power(x: Tensor, exponent: float) -> Tensor:
    """A power of the size, with a finite gradient at zero."""
    return x.abs().clamp_min(torch.finfo(x.dtype).tiny) ** exponent
