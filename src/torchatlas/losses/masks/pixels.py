"""Cross entropies that do not weigh all pixels alike: by class, by how wrong, by how near to a boundary."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from .distance import distance_to
from .mask_loss import AbstractMaskLoss, cross_entropy, members, ratio


@method(
    "weighted_ce",
    year=2015,
    paper="arXiv:1505.04597",
    topics=("segmentation", "vision"),
    tiny={"weight": (1.0, 3.0, 0.5)},
)
class WeightedCrossEntropy(AbstractMaskLoss):
    r"""Weighted cross entropy: the cross entropy of each pixel times the weight of its class.

    $-\sum_i w_{y_i} \ln p_i / N$ over the N pixels of an image that count; `by="weights"` divides by
    $\sum_i w_{y_i}$ instead, as PyTorch's cross entropy does. `weight` has a number for each class, or two
    (of classes 0 and 1) where there is one score per pixel.
    Shapes: scores (batch, classes, …) by softmax, or (batch, 1, …) by the sigmoid, and class numbers
    (batch, …) -> a scalar; (batch,) for `reduction="none"`. Pixels of `ignore_index` do not count.
    """

    weight_of_class: Tensor

    def __init__(
        self,
        weight: Sequence[float],
        by: str = "pixels",
        ignore_index: int = -100,
        reduction: str = "mean",
    ):
        super().__init__(ignore_index, reduction)
        if by not in ("pixels", "weights"):
            raise UsageError(f"weighted_ce divides by 'pixels' or 'weights', not {by!r}")
        if not weight or min(weight) < 0:
            raise UsageError(f"weight has a number of at least 0 for each class; got {weight}")
        self.by = by
        self.register_buffer("weight_of_class", torch.tensor(weight))

    def losses(self, scores: Tensor, truth: Tensor, counted: Tensor) -> Tensor:
        if len(self.weight_of_class) != max(2, scores.shape[1]):
            raise UsageError(
                f"weight has {len(self.weight_of_class)} numbers for {max(2, scores.shape[1])} classes"
            )
        weight = self.weight_of_class.to(scores.dtype)[truth].where(counted, 0).flatten(1)
        losses = weight * cross_entropy(scores, truth).where(counted, 0).flatten(1)
        whole = counted.flatten(1).sum(1).to(losses.dtype) if self.by == "pixels" else weight.sum(1)
        return ratio(losses.sum(1), whole, 0.0)


@method(
    "topk_ce",
    year=2016,
    paper="arXiv:1605.06885",
    topics=("segmentation", "vision"),
    aliases=("ohem_ce",),
)
class TopKCrossEntropy(AbstractMaskLoss):
    """Top-k cross entropy: the mean over the worst k percent of an image's pixels.

    `k` is in percent, 10 by default, of the pixels that count, rounded up to whole ones; 100 is the cross
    entropy.
    Shapes: scores (batch, classes, …) by softmax, or (batch, 1, …) by the sigmoid, and class numbers
    (batch, …) -> a scalar; (batch,) for `reduction="none"`. Pixels of `ignore_index` do not count.
    """

    def __init__(self, k: float = 10.0, ignore_index: int = -100, reduction: str = "mean"):
        super().__init__(ignore_index, reduction)
        if not 0 < k <= 100:
            raise UsageError(f"k is a percentage above 0, up to 100; not {k}")
        self.k = k

    def losses(self, scores: Tensor, truth: Tensor, counted: Tensor) -> Tensor:
        each = cross_entropy(scores, truth).where(counted, -1).flatten(1)  # (b, n)
        most = math.ceil(each.shape[1] * self.k / 100)
        worst = each.topk(most, 1).values
        count = (counted.flatten(1).sum(1).double() * self.k / 100).ceil()
        chosen = torch.arange(most, device=each.device) < count[:, None]
        return ratio(worst.where(chosen, 0).sum(1), count.to(each.dtype), 0.0)


@method(
    "dpce_loss",
    year=2019,
    paper="arXiv:1908.03679",
    topics=("segmentation", "vision"),
)
class DistancePenalisedCrossEntropy(AbstractMaskLoss):
    r"""Distance-map penalised cross entropy: pixels near a boundary weigh more, $(1 + D) \odot CE$.

    D falls from the boundary into the region of each class: $1 - d / d_{max}$, with d the Euclidean distance
    to the nearest pixel of another class and $d_{max}$ the largest one in the image's region of the class. D
    is 0 in an image of one class. The mean over the pixels of an image that count.
    Shapes: scores (batch, classes, …) by softmax, or (batch, 1, …) by the sigmoid, and class numbers
    (batch, …) -> a scalar; (batch,) for `reduction="none"`. Pixels of `ignore_index` do not count, nor do
    boundaries with them.
    """

    def losses(self, scores: Tensor, truth: Tensor, counted: Tensor) -> Tensor:
        weight = 1 + self.penalty(truth, counted, max(2, scores.shape[1])).to(scores.dtype)
        losses = (weight * cross_entropy(scores, truth)).where(counted, 0)
        return ratio(losses.flatten(1).sum(1), counted.flatten(1).sum(1).to(losses.dtype), 0.0)

    @torch.no_grad()
    def penalty(self, truth: Tensor, counted: Tensor, classes: int) -> Tensor:  # (b, …) -> (b, …)
        """The inverted distance of each pixel to the nearest one of another class, from 0 to 1."""
        mine = members(truth, classes) & counted[:, None]
        away = distance_to(~mine & counted[:, None]).where(mine, 0)  # (b, c, …)
        away = away.where(away.isfinite(), 0)
        far = away.flatten(2).amax(2).view(*away.shape[:2], *[1] * (away.ndim - 2))
        return (1 - ratio(away, far)).where(mine, 0).sum(1)
