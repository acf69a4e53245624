"""Region losses: ratios of how much of each class is found, missed and made up, counted in probabilities."""

from typing import NamedTuple

import torch
from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from .mask_loss import AbstractMaskLoss, members, probabilities, ratio


class Counts(NamedTuple):
    """Of each image and class (b, c): how much is found, made up and missed; 1 - p counts as not found."""

    tp: Tensor
    fp: Tensor
    fn: Tensor


def soft_counts(scores: Tensor, truth: Tensor, counted: Tensor) -> Counts:
    """Sums of probabilities over the pixels that count."""
    p = probabilities(scores).flatten(2)
    p = p.where(counted.flatten(1)[:, None], 0)
    mine = (members(truth, scores.shape[1]) & counted[:, None]).flatten(2)
    tp = p.where(mine, 0).sum(2)
    return Counts(tp, p.sum(2) - tp, mine.sum(2) - tp)


class AbstractRegionLoss(AbstractMaskLoss):
    """A loss that is a formula of soft counts, of each image by itself; most are means over its classes.

    `smooth` is added above and below a fraction, so that a class that an image lacks costs something where it
    is predicted, and not more than 1.
    """

    def __init__(self, smooth: float = 1e-5, ignore_index: int = -100, reduction: str = "mean"):
        super().__init__(ignore_index, reduction)
        if not smooth >= 0:
            raise UsageError(f"smooth must be at least 0, not {smooth}")
        self.smooth = smooth

    def score(self, counts: Counts) -> Tensor:  # -> (b, c) or (b,)
        """The loss, of each class of each image or of each image."""
        raise NotImplementedError

    def losses(self, scores: Tensor, truth: Tensor, counted: Tensor) -> Tensor:
        score = self.score(soft_counts(scores, truth, counted))
        return score.mean(1) if score.ndim == 2 else score

    def share(self, part: Tensor, whole: Tensor) -> Tensor:
        """Part over whole, smoothed."""
        return ratio(part + self.smooth, whole + self.smooth)


@method(
    "dice_loss",
    year=2016,
    paper="arXiv:1606.04797",
    topics=("segmentation", "vision"),
    aliases=("segmentation_losses",),
)
class DiceLoss(AbstractRegionLoss):
    r"""Dice loss: one minus the Dice coefficient in probabilities, $1 - 2 \sum g s / (\sum g + \sum s)$.

    s is a class's probability and g whether the pixel is of it; of each image and class, averaged over its
    classes. `squared=True` has squares below the line, as V-Net has. `smooth` is added above and below.
    Of sharp masks it is $1 - F_1$.
    Shapes: scores (batch, classes, …) by softmax, or (batch, 1, …) by the sigmoid, and class numbers
    (batch, …) -> a scalar; (batch,) for `reduction="none"`. Pixels of `ignore_index` do not count.
    """

    def __init__(
        self,
        smooth: float = 1e-5,
        squared: bool = False,
        ignore_index: int = -100,
        reduction: str = "mean",
    ):
        super().__init__(smooth, ignore_index, reduction)
        self.squared = squared

    def losses(self, scores: Tensor, truth: Tensor, counted: Tensor) -> Tensor:
        tp, fp, fn = soft_counts(scores, truth, counted)
        whole = 2 * tp + fp + fn
        if self.squared:
            squares = probabilities(scores).square().where(counted[:, None], 0)
            whole = squares.flatten(2).sum(2) + tp + fn
        return 1 - self.share(2 * tp, whole).mean(1)


@method(
    "soft_iou_loss",
    year=2016,
    paper="Rahman and Wang, Optimizing intersection-over-union in deep neural networks, ISVC",
    topics=("segmentation", "vision"),
    aliases=("jaccard_loss",),
)
class SoftIoULoss(AbstractRegionLoss):
    r"""Soft IoU (Jaccard) loss: one minus the IoU in probabilities, $1 - \sum g s / \sum (g + s - g s)$.

    s is a class's probability and g whether the pixel is of it; of each image and class, averaged over its
    classes. `smooth` is added above and below.
    Shapes: scores (batch, classes, …) by softmax, or (batch, 1, …) by the sigmoid, and class numbers
    (batch, …) -> a scalar; (batch,) for `reduction="none"`. Pixels of `ignore_index` do not count.
    """

    def score(self, counts: Counts) -> Tensor:
        return 1 - self.share(counts.tp, counts.tp + counts.fp + counts.fn)


class AbstractTversky(AbstractRegionLoss):
    """A loss of the Tversky index, with a weight of what is made up and one of what is missed."""

    def __init__(
        self,
        alpha: float = 0.3,
        beta: float = 0.7,
        smooth: float = 1e-5,
        ignore_index: int = -100,
        reduction: str = "mean",
    ):
        super().__init__(smooth, ignore_index, reduction)
        if not (alpha >= 0 and beta >= 0 and alpha + beta > 0):
            raise UsageError(f"alpha and beta are at least 0 and not both zero; got {alpha} and {beta}")
        self.alpha, self.beta = alpha, beta

    def score(self, counts: Counts) -> Tensor:
        wrong = self.alpha * counts.fp + self.beta * counts.fn
        return 1 - self.share(counts.tp, counts.tp + wrong)


@method(
    "tversky_loss",
    year=2017,
    paper="arXiv:1706.05721",
    topics=("segmentation", "vision"),
)
class TverskyLoss(AbstractTversky):
    r"""Tversky loss: the Dice loss with weights for the two errors, $1 - TP / (TP + \alpha FP + \beta FN)$.

    Soft counts of each image and class, averaged over its classes. $\alpha = \beta = 1/2$ is the Dice loss, 1
    the soft IoU loss; $\beta > \alpha$ (0.7 and 0.3) leans towards finding all. `smooth` is added above and
    below.
    Shapes: scores (batch, classes, …) by softmax, or (batch, 1, …) by the sigmoid, and class numbers
    (batch, …) -> a scalar; (batch,) for `reduction="none"`. Pixels of `ignore_index` do not count.
    """


@method(
    "focal_tversky_loss",
    year=2018,
    paper="arXiv:1810.07842",
    topics=("segmentation", "vision"),
)
class FocalTverskyLoss(AbstractTversky):
    r"""Focal Tversky loss: a root of each class's Tversky loss, $(1 - TI)^{1 / \gamma}$, averaged over them.

    TI is the Tversky index. $\gamma = 4/3$, above 1, draws on towards the last bit of classes nearly right;
    $\gamma = 1$ is the Tversky loss.
    Shapes: scores (batch, classes, …) by softmax, or (batch, 1, …) by the sigmoid, and class numbers
    (batch, …) -> a scalar; (batch,) for `reduction="none"`. Pixels of `ignore_index` do not count.
    """

    def __init__(
        self,
        alpha: float = 0.3,
        beta: float = 0.7,
        gamma: float = 4 / 3,
        smooth: float = 1e-5,
        ignore_index: int = -100,
        reduction: str = "mean",
    ):
        super().__init__(alpha, beta, smooth, ignore_index, reduction)
        if not gamma > 0:
            raise UsageError(f"gamma must be above 0, not {gamma}")
        self.gamma = gamma

    def score(self, counts: Counts) -> Tensor:
        rest = super().score(counts)
        least = torch.finfo(rest.dtype).eps  # a root has no slope at zero
        return (rest.clamp_min(least) ** (1 / self.gamma)).where(rest > least, 0)


@method(
    "asymmetric_similarity",
    year=2018,
    paper="arXiv:1803.11078",
    topics=("segmentation", "vision"),
)
class AsymmetricSimilarityLoss(AbstractTversky):
    r"""Asymmetric similarity loss: one minus a soft $F_\beta$ score, $\beta$ > 1 leaning towards recall.

    $1 - (1 + \beta^2) TP / ((1 + \beta^2) TP + \beta^2 FN + FP)$, of each image and class, averaged over its
    classes: the Tversky loss with $\alpha = 1 / (1 + \beta^2)$ and $\beta^2 / (1 + \beta^2)$ as the weight of
    what is missed. $\beta = 1$ is the Dice loss.
    Shapes: scores (batch, classes, …) by softmax, or (batch, 1, …) by the sigmoid, and class numbers
    (batch, …) -> a scalar; (batch,) for `reduction="none"`. Pixels of `ignore_index` do not count.
    """

    def __init__(
        self,
        beta: float = 1.5,
        smooth: float = 1e-5,
        ignore_index: int = -100,
        reduction: str = "mean",
    ):
        if not beta > 0:
            raise UsageError(f"beta must be above 0, not {beta}")
        lean = beta**2 / (1 + beta**2)
        super().__init__(1 - lean, lean, smooth, ignore_index, reduction)


class AbstractGeneralizedDice(AbstractRegionLoss):
    """A loss of the generalised Dice score of an image."""

    def __init__(self, ignore_index: int = -100, reduction: str = "mean"):
        super().__init__(0.0, ignore_index, reduction)

    def generalized(self, counts: Counts) -> Tensor:  # -> (b,)
        """Twice the weighted overlap over the weighted sizes; 1 for an image without a pixel that counts."""
        size = counts.tp + counts.fn
        there = size > 0.5  # whole pixels, counted in floating point
        weight = (1 / size.where(there, 1).square()).where(there, 0)
        most = weight.amax(1, keepdim=True)
        weight = weight.where(there, most.where(most > 0, 1)).detach()
        sizes = 2 * counts.tp + counts.fp + counts.fn
        return ratio((weight * 2 * counts.tp).sum(1), (weight * sizes).sum(1))


@method(
    "generalized_dice",
    year=2017,
    paper="arXiv:1707.03237",
    topics=("segmentation", "vision"),
)
class GeneralizedDiceLoss(AbstractGeneralizedDice):
    r"""Generalised Dice loss: the Dice loss of all classes together, each weighted by its size.

    $1 - 2 \frac{\sum_c w_c \sum g s}{\sum_c w_c \sum (g + s)}$ with $w_c = 1 / (\sum g)^2$, of each image. A
    class that the image lacks has the weight of its smallest one. With one score per pixel it is the Dice
    loss.
    Shapes: scores (batch, classes, …) by softmax, or (batch, 1, …) by the sigmoid, and class numbers
    (batch, …) -> a scalar; (batch,) for `reduction="none"`. Pixels of `ignore_index` do not count.
    """

    def score(self, counts: Counts) -> Tensor:
        return 1 - self.generalized(counts)


@method(
    "penalty_gd_loss",
    year=2019,
    paper="Yang et al., Major vessel segmentation on X-ray coronary angiography, MIDL",
    topics=("segmentation", "vision"),
)
class PenaltyGDLoss(AbstractGeneralizedDice):
    r"""Penalty loss: the generalised Dice score lowered by its own loss, $1 - GD / (1 + k (1 - GD))$.

    GD is the generalised Dice score of an image; k = 2.5 weighs what is made up and missed, and 0 gives the
    generalised Dice loss.
    Shapes: scores (batch, classes, …) by softmax, or (batch, 1, …) by the sigmoid, and class numbers
    (batch, …) -> a scalar; (batch,) for `reduction="none"`. Pixels of `ignore_index` do not count.
    """

    def __init__(self, k: float = 2.5, ignore_index: int = -100, reduction: str = "mean"):
        super().__init__(ignore_index, reduction)
        if not k >= 0:
            raise UsageError(f"k must be at least 0, not {k}")
        self.k = k

    def score(self, counts: Counts) -> Tensor:
        dice = self.generalized(counts)
        return 1 - dice / (1 + self.k * (1 - dice))


@method(
    "sensitivity_specificity",
    year=2015,
    paper="Brosch et al., Deep convolutional encoder networks for multiple sclerosis lesions, MICCAI",
    topics=("segmentation", "vision"),
)
class SensitivitySpecificityLoss(AbstractMaskLoss):
    r"""Sensitivity-specificity loss: squared errors, averaged over a class's pixels and over the others.

    $w \sum (g - s)^2 g / \sum g + (1 - w) \sum (g - s)^2 (1 - g) / \sum (1 - g)$, of each image and class,
    averaged over its classes; w = 0.05. s is the class's probability and g whether the pixel is of it.
    Shapes: scores (batch, classes, …) by softmax, or (batch, 1, …) by the sigmoid, and class numbers
    (batch, …) -> a scalar; (batch,) for `reduction="none"`. Pixels of `ignore_index` do not count.
    """

    def __init__(self, weight: float = 0.05, ignore_index: int = -100, reduction: str = "mean"):
        super().__init__(ignore_index, reduction)
        if not 0 <= weight <= 1:
            raise UsageError(f"weight must be from 0 to 1, not {weight}")
        self.sensitivity = weight

    def losses(self, scores: Tensor, truth: Tensor, counted: Tensor) -> Tensor:
        p, mine = probabilities(scores), members(truth, scores.shape[1])
        square = (p - mine.to(p.dtype)).square().flatten(2)
        inside, outside = (
            ratio(square.where(side, 0).sum(2), side.sum(2).to(p.dtype), 0.0)
            for side in ((part & counted[:, None]).flatten(2) for part in (mine, ~mine))
        )
        return (self.sensitivity * inside + (1 - self.sensitivity) * outside).mean(1)
