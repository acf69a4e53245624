"""Lovász losses: the IoU loss of sharp masks, carried over to all errors in between."""

from torch import Tensor

from ...cards.card import method
from .mask_loss import AbstractMaskLoss, members, probabilities, ratio


def extension(errors: Tensor, mine: Tensor, counted: Tensor) -> Tensor:  # 3 of (b, c, n) -> (b, c)
    """The Lovász extension of the Jaccard loss, at these errors of pixels that are of a class or not.

    Sorted from the worst, each error counts by how much its pixel, become wrong too, adds to the loss 1 -
    IoU. Pixels that do not count come last and add nothing.
    """
    ranked, order = errors.where(counted, -1).clamp(min=-1).sort(2, descending=True)
    true = (mine & counted).gather(2, order).long()
    total, found = true.sum(2, keepdim=True), true.cumsum(2)
    wrong = (1 - true).cumsum(2)
    loss = 1 - (total - found).to(errors.dtype) / (total + wrong)  # with all pixels up to here wrong
    steps = loss.diff(dim=2, prepend=loss.new_zeros(*loss.shape[:2], 1))
    return (ranked.clamp(min=0) * steps).sum(2)


@method(
    "lovasz_softmax",
    year=2017,
    paper="arXiv:1705.08790",
    topics=("segmentation", "vision"),
)
class LovaszSoftmax(AbstractMaskLoss):
    r"""Lovász-Softmax loss: a class's IoU loss of errors in probability, its convex closure.

    With the errors $m_i = |g_i - s_i|$ sorted from the largest, $\sum_i m_i \Delta_i$, where $\Delta_i$ is
    what 1 - IoU grows by when the i-th pixel is wrong too. The mean over the classes that an image has. Of
    sharp masks it is 1 - IoU.
    Shapes: scores (batch, classes, …) by softmax, or (batch, 1, …) by the sigmoid, and class numbers
    (batch, …) -> a scalar; (batch,) for `reduction="none"`. Pixels of `ignore_index` do not count.
    """

    def losses(self, scores: Tensor, truth: Tensor, counted: Tensor) -> Tensor:
        p, mine = probabilities(scores), members(truth, scores.shape[1])
        errors = (p - mine.to(p.dtype)).abs().flatten(2)
        mine, counted = mine.flatten(2), counted.flatten(1)[:, None].expand_as(errors)
        there = (mine & counted).any(2)  # (b, c)
        if scores.shape[1] == 1:  # an image without class 1 still must not have it found
            there = counted.any(2)
        losses = extension(errors, mine, counted).where(there, 0)
        return ratio(losses.sum(1), there.sum(1).to(losses.dtype), 0.0)


@method(
    "lovasz_hinge",
    year=2017,
    paper="arXiv:1705.08790",
    topics=("segmentation", "vision"),
)
class LovaszHinge(AbstractMaskLoss):
    r"""Lovász hinge: the IoU loss of a mask, carried over to hinge errors of its scores.

    With $m_i = \max(0, 1 - y_i z_i)$, y = 1 in the mask and -1 outside, sorted from the largest: $\sum_i m_i
    \Delta_i$, where $\Delta_i$ is what 1 - IoU grows by when the i-th pixel is wrong too. Scores of several
    classes are read as one mask each, and averaged.
    Shapes: scores (batch, 1, …), above 0 in the mask, and classes 0 and 1 (batch, …), or (batch, classes, …)
    and class numbers -> a scalar; (batch,) for `reduction="none"`. Pixels of `ignore_index` do not count.
    """

    def losses(self, scores: Tensor, truth: Tensor, counted: Tensor) -> Tensor:
        mine = members(truth, scores.shape[1])
        errors = (1 - scores.where(mine, -scores)).flatten(2)
        kept = counted.flatten(1)[:, None].expand_as(errors)
        return extension(errors, mine.flatten(2), kept).mean(1)
