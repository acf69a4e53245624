"""Boundary losses: errors count by how far they lie from the boundary of the true mask."""

import torch
from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from .distance import to_other_side
from .mask_loss import AbstractMaskLoss, members, probabilities, ratio


class AbstractDistanceLoss(AbstractMaskLoss):
    """A mean over the pixels and the foreground classes of an image; class 0 is the background."""

    def each(self, p: Tensor, mine: Tensor) -> Tensor:  # 2 of (b, c, …) -> (b, c, …)
        """What each pixel costs, by its probabilities and by whether it is of the classes."""
        raise NotImplementedError

    def losses(self, scores: Tensor, truth: Tensor, counted: Tensor) -> Tensor:
        p, mine = probabilities(scores), members(truth, scores.shape[1])
        if scores.shape[1] > 1:
            p, mine = p[:, 1:], mine[:, 1:]
        each = self.each(p, mine).where(counted[:, None], 0).flatten(2)
        pixels = counted.flatten(1).sum(1, keepdim=True).to(each.dtype)
        return ratio(each.sum(2), pixels, 0.0).mean(1)


@method(
    "boundary_loss",
    year=2018,
    paper="arXiv:1812.07032",
    topics=("segmentation", "vision"),
)
class BoundaryLoss(AbstractDistanceLoss):
    r"""Boundary loss: probability times the signed distance to the true boundary, $\mathrm{mean}\, \phi_G s$.

    $\phi_G$ is the Euclidean distance of a pixel to the nearest one on the other side, negative inside the
    true mask; 0 where an image lacks the class, or has nothing else. The mean over an image's pixels and
    foreground classes (all but class 0); it can be negative. Meant beside a region loss, with a weight that
    grows. Distances are exact and worked out on the device of the scores.
    Shapes: scores (batch, classes, …) by softmax, or (batch, 1, …) by the sigmoid, and class numbers
    (batch, …) -> a scalar; (batch,) for `reduction="none"`. Pixels of `ignore_index` do not count, and are
    background for the distances.
    """

    def each(self, p: Tensor, mine: Tensor) -> Tensor:
        away = to_other_side(mine).to(p.dtype)
        return torch.where(mine, -away, away) * p


@method(
    "hausdorff_dt_loss",
    year=2019,
    paper="arXiv:1904.10030",
    topics=("segmentation", "vision"),
)
class HausdorffDTLoss(AbstractDistanceLoss):
    r"""Hausdorff DT loss: squared errors times distances to both boundaries, a smooth Hausdorff distance.

    $\mathrm{mean}\, (s - g)^2 (d_G^\alpha + d_S^\alpha)$, with $d_G$ the distance of a pixel to the nearest
    one on the other side of the true mask, $d_S$ that for the prediction, cut at 0.5; no gradient flows
    through them. $\alpha = 2$. The mean over an image's pixels and foreground classes (all but class 0).
    Distances are exact and worked out on the device of the scores.
    Shapes: scores (batch, classes, …) by softmax, or (batch, 1, …) by the sigmoid, and class numbers
    (batch, …) -> a scalar; (batch,) for `reduction="none"`. Pixels of `ignore_index` do not count, and are
    background for the distances of the true mask.
    """

    def __init__(self, alpha: float = 2.0, ignore_index: int = -100, reduction: str = "mean"):
        super().__init__(ignore_index, reduction)
        if not alpha > 0:
            raise UsageError(f"alpha must be above 0, not {alpha}")
        self.alpha = alpha

    def each(self, p: Tensor, mine: Tensor) -> Tensor:
        with torch.no_grad():
            away = to_other_side(mine) ** self.alpha + to_other_side(p > 0.5) ** self.alpha
        return (p - mine.to(p.dtype)).square() * away.to(p.dtype)
