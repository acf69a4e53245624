"""Scores of detectors: what is found is matched with what is there, then ranked."""

import torch
from torch import Tensor

from ..cards.card import method
from ..engine.errors import UsageError
from ..nn.boxes.iou import pairwise_iou, wide
from .metric import AbstractMetric
from .ranking import area, falling

COCO = tuple(k / 100 for k in range(50, 100, 5))


def matched(overlaps: Tensor, thresholds: Tensor) -> Tensor:  # (n, m), (k,) -> (n, k)
    """Whether each finding meets a truth, best finding first, once per threshold.

    It meets the truth that it overlaps most of those not met before, if by the threshold at least.
    """
    taken = overlaps.new_zeros(len(thresholds), overlaps.shape[1], dtype=torch.bool)
    hits = overlaps.new_zeros(len(overlaps), len(thresholds), dtype=torch.bool)
    every = torch.arange(len(thresholds), device=overlaps.device)
    near = (overlaps >= thresholds.min()).any(1) if overlaps.shape[1] else hits.any(1)
    for row in near.nonzero()[:, 0].tolist():
        most, place = overlaps[row].expand_as(taken).masked_fill(taken, -1).max(1)
        hits[row] = most >= thresholds
        taken[every, place] |= hits[row]
    return hits


class AbstractDetection(AbstractMetric):
    """The mean average precision of findings, by whatever they overlap the truths.

    Of each image and class the `max_detections` best findings count. Kept are each finding's score and class
    and at which thresholds it met a truth; and the sum of truths per class.
    """

    scores: Tensor
    classes: Tensor
    hits: Tensor
    truths: Tensor

    def __init__(
        self,
        num_classes: int,
        thresholds: tuple[float, ...] = COCO,
        points: int | None = 101,
        max_detections: int = 100,
    ):
        super().__init__()
        if not thresholds or max_detections < 1:
            raise UsageError(
                f"give thresholds and max_detections above 0; got {thresholds}, {max_detections}"
            )
        self.num_classes, self.points, self.max_detections = num_classes, points, max_detections
        self.thresholds = tuple(thresholds)
        self.add_rows("scores")
        self.add_rows("classes", dtype=torch.int64)
        self.add_rows("hits", len(thresholds), dtype=torch.bool)
        self.add_sum("truths", num_classes)

    @torch.no_grad()
    def gather(self, overlaps: Tensor, scores: Tensor, classes: Tensor, truths: Tensor) -> None:
        """Add an image: overlaps (n, m), scores and classes of findings (n,), classes of truths (m,)."""
        if scores.shape != classes.shape or overlaps.shape != (*scores.shape, *truths.shape):
            told = [tuple(t.shape) for t in (overlaps, scores, classes, truths)]
            raise UsageError(f"n findings have n scores and n classes, and m truths m classes; got {told}")
        for labels in (classes, truths):
            if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < self.num_classes:
                raise UsageError(f"classes are 0 .. {self.num_classes - 1}; got {labels.unique().tolist()}")
        order = scores.argsort(descending=True, stable=True)
        better = (classes[order][:, None] == classes[order]).tril(-1).sum(1)  # of the same class
        order = order[better < self.max_detections]
        of_class = classes[order][:, None] == truths
        thresholds = torch.tensor(self.thresholds, dtype=overlaps.dtype, device=overlaps.device)
        self.keep("scores", scores[order])
        self.keep("classes", classes[order])
        self.keep("hits", matched(overlaps[order].where(of_class, -1), thresholds))
        self.truths += torch.bincount(truths.long(), minlength=self.num_classes).to(self.truths.device)

    def table(self) -> Tensor:  # -> (num_classes, thresholds)
        """The average precision of each class at each threshold; nan for classes without a truth."""
        rows = []
        for label in range(self.num_classes):
            mine = self.classes == label
            curves = [falling(self.scores[mine], hits) for hits in self.hits[mine].unbind(1)]
            rows.append(torch.stack([area(t, n, self.truths[label], self.points) for _, t, n in curves]))
        return torch.stack(rows)

    def compute(self) -> Tensor:
        """The mean over thresholds and over the classes that are there."""
        return self.table().mean(1).nanmean()


@method(
    "mean_average_precision",
    year=2014,
    paper="arXiv:1405.0312",
    topics=("detection", "vision"),
    tiny={"num_classes": 3},
    aliases=("map",),
)
class MeanAveragePrecision(AbstractDetection):
    """Mean average precision: boxes matched by IoU, ranked by score, averaged over classes and thresholds.

    Image by image and class by class, the best box first, each box meets the truth that it overlaps most of
    those that no better box met, if by the threshold at least; else it is false. The average precisions over
    the set are averaged over thresholds and over the classes that have truths.
    The defaults are COCO's: IoU 0.5, 0.55, …, 0.95, the precision at 101 recalls, the 100 best boxes of each
    image and class, all sizes alike. `thresholds=(0.5,), points=None` are those of PASCAL VOC from 2010 on.
    `table` has each class at each threshold.
    Shapes of update, an image each: boxes (n, 4) as x1, y1, x2, y2, scores (n,), classes (n,), and of the
    truths boxes (m, 4) and classes (m,). Errors: `UsageError` for what does not fit.
    """

    def update(
        self, boxes: Tensor, scores: Tensor, classes: Tensor, truths: Tensor, truth_classes: Tensor
    ) -> None:
        """Add an image."""
        self.gather(pairwise_iou(wide(boxes), wide(truths)), scores, classes, truth_classes)

    def example(self, seed: int) -> tuple[Tensor, ...]:
        """Six truths, and boxes near to five of them."""
        numbers = torch.Generator().manual_seed(seed)
        corner = 20 * torch.rand(6, 2, generator=numbers)
        truths = torch.cat([corner, corner + 4 + 6 * torch.rand(6, 2, generator=numbers)], 1)
        boxes = truths[:5] + torch.rand(5, 4, generator=numbers)
        classes = torch.arange(6) % min(3, self.num_classes)
        return boxes, torch.rand(5, generator=numbers), classes[:5], truths, classes
