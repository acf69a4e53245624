"""Scores of segmentations, where every pixel has a class."""

import torch
from torch import Tensor

from ..cards.card import method
from ..engine.errors import UsageError
from .metric import AbstractMetric


@method(
    "mean_iou",
    year=2010,
    paper="Everingham et al., The PASCAL visual object classes challenge, IJCV 88",
    topics=("segmentation", "vision"),
    tiny={"num_classes": 3},
)
class MeanIoU(AbstractMetric):
    r"""Mean IoU: how far prediction and truth agree on each class's pixels, averaged over classes.

    From the pixels of the whole set, of a class c: $|P_c \cap T_c| / |P_c \cup T_c|$. A class absent from
    both has no IoU and is left out of the mean; the mean is nan where all are. It is not the mean over
    images of each one's score.

    Pixels whose truth is `ignore_index` or no class of 0 .. num_classes - 1 are left out (a class ignored
    also leaves the mean); a prediction that is no class is a miss.
    Shapes of update: class numbers (batch, …) or logits (batch, num_classes, …) against (batch, …).
    Errors: `UsageError` where they do not fit.
    """

    pixels: Tensor

    def __init__(self, num_classes: int, ignore_index: int | None = None):
        super().__init__()
        self.num_classes, self.ignore_index = num_classes, ignore_index
        self.add_sum("pixels", num_classes, num_classes + 1)  # truth × prediction, the last of them a miss

    def extra_repr(self) -> str:
        return f"num_classes={self.num_classes}, ignore_index={self.ignore_index}"

    @torch.no_grad()
    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Count a batch of pixels; nothing waits for the device."""
        classes = self.num_classes
        if prediction.ndim == target.ndim + 1 and prediction.shape[1] == classes:
            prediction = prediction.argmax(1)
        if prediction.shape != target.shape or prediction.is_floating_point() or target.is_floating_point():
            raise UsageError(
                f"mean_iou wants class numbers, or logits with {classes} classes in dimension 1, of the "
                f"target's shape; got {_told(prediction)} against {_told(target)}"
            )
        found, truth = prediction.flatten().long(), target.flatten().long()
        counted = (truth >= 0) & (truth < classes)
        if self.ignore_index is not None:
            counted &= truth != self.ignore_index
        found = found.where((found >= 0) & (found < classes), classes)
        cell = (truth * (classes + 1) + found).where(counted, 0)
        self.pixels.view(-1).scatter_add_(0, cell, counted.long())

    def per_class(self) -> Tensor:  # -> (num_classes,)
        """The IoU of each class; nan for those absent from both, and for one that is ignored."""
        both = self.pixels[:, :-1].diagonal()
        either = self.pixels.sum(1) + self.pixels[:, :-1].sum(0) - both
        iou = both.double() / either  # 0 / 0 is nan
        if self.ignore_index is not None and 0 <= self.ignore_index < self.num_classes:
            iou[self.ignore_index] = torch.nan
        return iou

    def compute(self) -> Tensor:
        """The mean over the classes that have an IoU."""
        return self.per_class().nanmean()


def _told(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} of {tuple(tensor.shape)}"
