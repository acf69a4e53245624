"""Scores of segmentations, where every pixel has a class: formulas of the confusion matrix of the set."""

import torch
from torch import Tensor

from ..cards.card import method
from ..engine.errors import UsageError
from .confusion import AbstractConfusion

AXES = ("prediction", "truth")


class AbstractClassScore(AbstractConfusion):
    """One score per class (`scores`), and perhaps a mean of them; an ignored class has none."""

    def scores(self) -> Tensor:  # -> (num_classes,)
        """The score of each class; nan where it has none."""
        raise NotImplementedError

    def per_class(self) -> Tensor:  # -> (num_classes,)
        """The score of each class; nan for those without one, and for one that is ignored."""
        return self.without_ignored(self.scores())

    def compute(self) -> Tensor:
        """The scores of the classes."""
        return self.per_class()


class AbstractIoU(AbstractClassScore):
    """The intersection over union of each class, and perhaps a mean of them."""

    def scores(self) -> Tensor:
        both = self.hits()
        return both.double() / (self.truths() + self.found() - both)  # 0 / 0 is nan


@method(
    "iou_metric",
    year=1912,
    paper="Jaccard, The distribution of the flora in the alpine zone, New Phytologist 11",
    topics=("segmentation", "vision"),
    tiny={"num_classes": 3},
    aliases=("jaccard",),
)
class IoU(AbstractIoU):
    r"""IoU (Jaccard index): how far prediction and truth agree on each class's pixels.

    Of the pixels of the whole set, for a class c: $|P_c \cap T_c| / |P_c \cup T_c|$; nan for a class absent
    from both. Gives (num_classes,). What is left out, shapes and errors are those of `mean_iou`.
    """


@method(
    "mean_iou",
    year=2010,
    paper="Everingham et al., The PASCAL visual object classes challenge, IJCV 88",
    topics=("segmentation", "vision"),
    tiny={"num_classes": 3},
    aliases=("segmentation_metrics",),
)
class MeanIoU(AbstractIoU):
    r"""Mean IoU: how far prediction and truth agree on each class's pixels, averaged over classes.

    From the pixels of the whole set, of a class c: $|P_c \cap T_c| / |P_c \cup T_c|$. A class absent from
    both has no IoU and is left out of the mean; the mean is nan where all are. It is not the mean over
    images of each one's score.

    Pixels whose truth is `ignore_index` or no class of 0 .. num_classes - 1 are left out (a class ignored
    also leaves the mean); a prediction that is no class is a miss.
    Shapes of update: class numbers (batch, …) or logits (batch, num_classes, …) against (batch, …).
    Errors: `UsageError` where they do not fit.
    """

    def compute(self) -> Tensor:
        """The mean over the classes that have an IoU."""
        return self.per_class().nanmean()


@method(
    "fw_iou",
    year=2014,
    paper="arXiv:1411.4038",
    topics=("segmentation", "vision"),
    tiny={"num_classes": 3},
)
class FrequencyWeightedIoU(AbstractIoU):
    r"""Frequency weighted IoU: the IoU of each class, weighted by how many pixels are of that class.

    $\sum_c n_c \mathrm{IoU}_c / \sum_c n_c$, with $n_c$ pixels of class c in the truth of the whole set; with
    equally many it is the mean IoU. What is left out, shapes and errors are those of `mean_iou`.
    """

    def compute(self) -> Tensor:
        """The weighted mean; classes without a pixel have no weight."""
        truths = self.truths()
        return (truths * self.per_class()).nansum() / truths.sum()


@method(
    "dice_coefficient",
    year=1945,
    paper="Dice, Measures of the amount of ecologic association between species, Ecology 26",
    topics=("segmentation", "vision"),
    tiny={"num_classes": 3},
)
class DiceCoefficient(AbstractClassScore):
    r"""Dice coefficient: what prediction and truth share of each class, over their mean size.

    Of the pixels of the whole set, $2 |P_c \cap T_c| / (|P_c| + |T_c|)$: the $F_1$ score of the class, and
    2 IoU / (1 + IoU); nan for a class absent from both. Gives (num_classes,).
    What is left out, shapes and errors are those of `mean_iou`.
    """

    def scores(self) -> Tensor:
        return 2 * self.hits().double() / (self.truths() + self.found())


@method(
    "pixel_accuracy",
    year=2014,
    paper="arXiv:1411.4038",
    topics=("segmentation", "vision"),
    tiny={"num_classes": 3},
)
class PixelAccuracy(AbstractConfusion):
    r"""Pixel accuracy: the share of all pixels of the set that are right, $\sum_c n_{cc} / \sum n$.

    What is left out, shapes and errors are those of `mean_iou`.
    """

    def compute(self) -> Tensor:
        """The share of pixels that are right."""
        return self.hits().sum().double() / self.pixels.sum()


class AbstractClassAccuracy(AbstractClassScore):
    """The share that is right of the pixels taken for a class, or of the pixels that are of it."""

    def __init__(self, num_classes: int, axis: str = "prediction", ignore_index: int | None = None):
        super().__init__(num_classes, ignore_index)
        if axis not in AXES:
            raise UsageError(f"axis is {' or '.join(AXES)}, not {axis!r}")
        self.axis = axis

    def scores(self) -> Tensor:
        return self.hits().double() / (self.found() if self.axis == "prediction" else self.truths())


@method(
    "class_pixel_accuracy",
    year=2014,
    paper="arXiv:1411.4038",
    topics=("segmentation", "vision"),
    tiny={"num_classes": 3},
)
class ClassPixelAccuracy(AbstractClassAccuracy):
    r"""Class pixel accuracy: of the pixels taken for each class, the share that is of that class.

    $n_{cc} / \sum_t n_{tc}$, the precision of a class (`axis="prediction"`, the default). The paper's own
    per-class accuracy is the recall, $n_{cc} / \sum_p n_{cp}$: `axis="truth"`. nan where the sum is zero.
    Gives (num_classes,). What is left out, shapes and errors are those of `mean_iou`.
    """


@method(
    "mean_pixel_accuracy",
    year=2014,
    paper="arXiv:1411.4038",
    topics=("segmentation", "vision"),
    tiny={"num_classes": 3},
)
class MeanPixelAccuracy(AbstractClassAccuracy):
    """Mean pixel accuracy: the class pixel accuracy, averaged over the classes that have one.

    `axis="prediction"`, the default, averages precisions; `axis="truth"` averages recalls, which is the mean
    accuracy of the paper and what most surveys mean.
    What is left out, shapes and errors are those of `mean_iou`.
    """

    def compute(self) -> Tensor:
        """The mean over the classes that have an accuracy."""
        return torch.nanmean(self.per_class())
