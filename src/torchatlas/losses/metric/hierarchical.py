"""The hierarchical triplet loss: a margin that depends on how far apart two classes are in a tree."""

import torch
from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from .embedding import AbstractEmbeddingLoss, distances, pairs

FARTHEST = 4.0  # squared distance of two unit vectors


@method(
    "hierarchical_triplet",
    year=2018,
    paper="arXiv:1810.06951",
    topics=("classification", "metric-learning"),
)
class HierarchicalTriplet(AbstractEmbeddingLoss):
    r"""Hierarchical triplet loss: $\max(0, d_{ap}^2 - d_{an}^2 + \beta + d_H - s)$, with a margin of its own.

    $s$ is the mean squared distance within the anchor's class, and $d_H$ the height at which a tree joins the
    two classes: heights are `levels` equal steps from the mean of all $s$ up to 4, and at each height those
    classes are one whose mean distance is at most that, or which are joined through others. Margins are not
    differentiated; all triplets are taken. The paper builds its tree of all data before each epoch and
    draws classes that are near in it; here the tree is of the batch.
    Shapes: embeddings (batch, width) and class numbers (batch,) -> a scalar. Memory grows with batch cubed.
    `held` are embeddings from which the margins are taken instead.
    """

    def __init__(self, beta: float = 0.1, levels: int = 16, reduction: str = "mean"):
        super().__init__(unit=True, reduction=reduction)
        if levels < 1:
            raise UsageError(f"levels must be at least 1, not {levels}")
        self.beta, self.levels = beta, levels

    def forward(self, embeddings: Tensor, labels: Tensor, held: Tensor | None = None) -> Tensor:
        far = distances(self.points(embeddings))
        fixed = far if held is None else distances(self.points(held))
        positive, negative = pairs(labels)
        hinges = (far[:, :, None] - far[:, None, :] + self.margins(fixed.detach(), labels)[:, None, :]).relu()
        return self.over(hinges, positive[:, :, None] & negative[:, None, :])

    def margins(self, far: Tensor, labels: Tensor) -> Tensor:  # (b, b) -> (b, b)
        """Of every anchor and negative, from the squared distances of all rows."""
        same = (labels[:, None] == labels).to(far)
        count = same.sum(1)
        share = same / count[:, None]
        between = share @ far @ share.mT  # of the classes of two rows
        within = between.diagonal() * count / (count - 1).clamp_min(1)
        several = (count > 1) / count  # a class's rows share one vote
        floor = (within * several).sum() / several.sum().clamp_min(1)
        step = (FARTHEST - floor).clamp_min(torch.finfo(far.dtype).eps) / self.levels
        joined = _joined(between * (1 - same))
        level = ((joined - floor) / step).ceil().clamp(0, self.levels)
        return self.beta + floor + level * step - within[:, None]


def _joined(between: Tensor) -> Tensor:  # (b, b) -> (b, b)
    """The least height at which two rows are one, where a way is as long as the longest of its steps."""
    for _ in range(max(len(between) - 1, 1).bit_length()):
        between = torch.maximum(between[:, :, None], between[None]).amin(1) if len(between) else between
    return between
