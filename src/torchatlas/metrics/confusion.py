"""Which class was taken for which: the counts that scores of classifications are formulas of."""

import torch
from torch import Tensor

from ..cards.card import method
from ..engine.errors import UsageError
from .metric import AbstractMetric

CHUNK = 1 << 16  # pixels at a time on a CPU: what is worked out on the way stays in its cache


class AbstractConfusion(AbstractMetric):
    """A score that is a formula of how often each class (a row) was taken for each class (a column).

    Pixels (or samples) whose truth is `ignore_index` or no class of 0 .. num_classes - 1 are left out; a
    prediction that is no class is a miss.
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
            name = getattr(self, "__atlas__", type(self).__name__)
            raise UsageError(
                f"{name} wants class numbers, or logits with {classes} classes in dimension 1, of the "
                f"target's shape; got {_told(prediction)} against {_told(target)}"
            )
        found, truth = prediction.flatten(), target.flatten()
        step = max(CHUNK, 8 * self.pixels.numel()) if found.is_cpu else max(1, len(found))
        for part, true in zip(found.split(step), truth.split(step)):
            self.pixels += _counts(self._cells(part.long(), true.long()), self.pixels)

    def _cells(self, found: Tensor, truth: Tensor) -> Tensor:
        """The number of each pixel's cell; those left out are in a row behind the last."""
        classes = self.num_classes
        counted = (truth >= 0) & (truth < classes)
        if self.ignore_index is not None:
            counted &= truth != self.ignore_index
        found = found.where((found >= 0) & (found < classes), classes)
        return truth.where(counted, classes) * (classes + 1) + found

    def hits(self) -> Tensor:  # -> (num_classes,)
        """How many pixels of each class were found."""
        return self.pixels[:, :-1].diagonal()

    def truths(self) -> Tensor:  # -> (num_classes,)
        """How many pixels are of each class."""
        return self.pixels.sum(1)

    def found(self) -> Tensor:  # -> (num_classes,)
        """How many pixels were taken for each class."""
        return self.pixels[:, :-1].sum(0)

    def without_ignored(self, scores: Tensor) -> Tensor:  # (num_classes, …) -> the same
        """The scores of classes, nan for the one that is ignored."""
        if self.ignore_index is not None and 0 <= self.ignore_index < self.num_classes:
            scores[self.ignore_index] = torch.nan
        return scores


@method(
    "confusion_matrix",
    year=1904,
    paper="Pearson, On the theory of contingency, Drapers' Company Research Memoirs",
    topics=("classification", "segmentation"),
    tiny={"num_classes": 3},
)
class ConfusionMatrix(AbstractConfusion):
    """Confusion matrix: how often each class (a row) was taken for each class (a column).

    Of the whole set, as integers (num_classes, num_classes). Predictions that are no class are in no column.
    Pixels whose truth is `ignore_index` or no class are left out.
    Shapes of update: class numbers (batch, …) or logits (batch, num_classes, …) against (batch, …).
    Errors: `UsageError` where they do not fit.
    """

    def compute(self) -> Tensor:
        """The counts, truth by prediction."""
        return self.pixels[:, :-1].clone()


@method(
    "precision_recall_f",
    year=1979,
    paper="van Rijsbergen, Information Retrieval",
    topics=("classification", "segmentation", "detection"),
    tiny={"num_classes": 3},
    aliases=("f_beta",),
)
class PrecisionRecallF(AbstractConfusion):
    r"""Accuracy, precision, recall and $F_\beta$: four views of one confusion matrix, averaged over classes.

    Of a class: precision $P = TP / (TP + FP)$, recall $R = TP / (TP + FN)$ and
    $F_\beta = (1 + \beta^2) P R / (\beta^2 P + R)$; $\beta > 1$ leans towards recall. Accuracy is the share
    of all that is right. A class that is there but never found has precision 0; classes absent from truth and
    prediction are left out of the means. `per_class` gives the three of each class.
    Shapes of update: class numbers (batch, …) or logits (batch, num_classes, …) against (batch, …).
    Errors: `UsageError` where they do not fit, or for a beta that is not positive.
    """

    def __init__(self, num_classes: int, beta: float = 1.0, ignore_index: int | None = None):
        super().__init__(num_classes, ignore_index)
        if not beta > 0:
            raise UsageError(f"beta must be above 0, not {beta}")
        self.beta = beta

    def per_class(self) -> Tensor:  # -> (num_classes, 3)
        """Precision, recall and F of each class; nan for those absent from both, and for one ignored."""
        hits, truths, found = (count.double() for count in (self.hits(), self.truths(), self.found()))
        precision, recall, weight = hits / found.clamp(min=1), hits / truths.clamp(min=1), self.beta**2
        f = (1 + weight) * hits / (weight * truths + found)
        scores = torch.stack([precision, recall, f], 1)
        return self.without_ignored(scores.where((truths + found > 0)[:, None], torch.nan))

    def compute(self) -> Tensor:  # -> (4,)
        """Accuracy, and the means of precision, recall and F over the classes that are there."""
        accuracy = self.hits().sum().double() / self.pixels.sum()
        return torch.cat([accuracy[None], self.per_class().nanmean(0)])


def _counts(cells: Tensor, like: Tensor) -> Tensor:
    """How many pixels fall into each cell, as integers of the matrix's shape; the row behind is left out."""
    size = like.numel() + like.shape[1]
    if cells.is_cpu and not torch.compiler.is_compiling():
        counts = torch.bincount(cells, minlength=size)
    else:  # bincount asks the device for the largest number first
        counts = torch.zeros(size, dtype=like.dtype, device=cells.device)
        counts = counts.scatter_add(0, cells, torch.ones_like(cells))
    return counts[: like.numel()].view_as(like)


def _told(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} of {tuple(tensor.shape)}"
