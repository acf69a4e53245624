"""Equalization losses: rare classes are spared the gradients of being wrong for others' rows."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ..reduction import checked, reduced
from .sizes import fitting, learning, normalised_sigmoid, one_hot, sizes_of


class AbstractEqualization(nn.Module):
    """What both forms know: which classes are rare, by their share of the training rows."""

    rare: Tensor

    def __init__(self, class_counts: Sequence[int], threshold: float, reduction: str):
        super().__init__()
        if threshold < 0:
            raise UsageError(f"threshold is a share of the training rows, at least 0, not {threshold}")
        self.reduction = checked(reduction)
        counts = sizes_of(class_counts)
        self.register_buffer("rare", torch.tensor([count / sum(counts) < threshold for count in counts]))


@method(
    "equalization_loss",
    year=2020,
    paper="arXiv:2003.05176",
    topics=("classification", "long-tail"),
    tiny={"class_counts": (100, 10, 1), "threshold": 0.05},
)
class EqualizationLoss(AbstractEqualization):
    r"""Equalization loss: softmax cross entropy that leaves rare classes out of others' denominators.

    $-z_y + \ln \sum_i w_i e^{z_i}$ with $w_i = 1 - \beta_i [f_i < \lambda] [i ≠ y]$: a class whose share
    $f_i$ of the training rows is below `threshold` $\lambda$ gets no gradient from rows of other classes.
    $\beta_i$ is drawn for each row and class, 1 with probability `gamma`, so that some of that gradient
    stays.
    In evaluation mode nothing is left out: it is the cross entropy.
    Shapes: scores (batch, classes) and class numbers (batch,) -> a scalar; (batch,) for `reduction="none"`.
    """

    def __init__(
        self,
        class_counts: Sequence[int],
        threshold: float = 0.005,
        gamma: float = 0.95,
        reduction: str = "mean",
    ):
        if not 0 <= gamma <= 1:
            raise UsageError(f"gamma is a probability, not {gamma}")
        super().__init__(class_counts, threshold, reduction)
        self.gamma = gamma

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        fitting(prediction, len(self.rare), "equalization_loss")
        if learning(self):
            numbers = torch.arange(len(self.rare), device=prediction.device)
            drawn = torch.rand(prediction.shape, device=prediction.device) < self.gamma  # (b, k)
            gone = self.rare & drawn & (target[:, None] != numbers)
            prediction = prediction.masked_fill(gone, -torch.inf)  # w = 0; the row's own class always stays
        return F.cross_entropy(prediction, target, reduction=self.reduction)


@method(
    "sigmoid_equalization_loss",
    year=2020,
    paper="arXiv:2003.05176",
    topics=("classification", "long-tail", "detection"),
    tiny={"class_counts": (100, 10, 1), "threshold": 0.05},
)
class SigmoidEqualizationLoss(AbstractEqualization):
    r"""Sigmoid equalization loss: binary cross entropies of all classes, without the rare ones' negatives.

    $\sum_j w_j \mathrm{BCE}(z_j, y_j)$ with $w_j = 1 - E [f_j < \lambda] (1 - y_j)$. E is 1 for rows of a
    class and 0 for the background, which keeps every negative term. Rows of the background have the class
    number that follows the last class. $\lambda$ is `threshold`, a share of the training rows.
    Shapes: scores (batch, classes) and class numbers (batch,) -> a scalar, the mean over rows of the sum over
    classes; (batch,) for `reduction="none"`.
    """

    def __init__(self, class_counts: Sequence[int], threshold: float = 0.00176, reduction: str = "mean"):
        super().__init__(class_counts, threshold, reduction)

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        fitting(prediction, len(self.rare), "sigmoid_equalization_loss")
        labels = one_hot(target, prediction)
        foreground = (target < len(self.rare))[:, None]
        spared = foreground & self.rare & (labels < 0.5)  # (b, k)
        losses = F.binary_cross_entropy_with_logits(prediction, labels, reduction="none")
        return reduced(losses.masked_fill(spared, 0.0).sum(1), self.reduction)

    probabilities = staticmethod(normalised_sigmoid)


@method(
    "equalization_loss_v2",
    year=2020,
    paper="arXiv:2012.08548",
    topics=("classification", "long-tail", "detection"),
    tiny={"num_classes": 3},
)
class EqualizationLossV2(nn.Module):
    r"""Equalization loss v2: each class's positive and negative gradients are brought into balance.

    Binary cross entropies of all classes, those of positive labels weighed by $1 + \alpha (1 - f(g_j))$,
    those of negative ones by $f(g_j)$, with $f(g) = \sigma(\gamma (g - \mu))$. $g_j$ is the sum of
    $|\sigma(z_j) - y_j|$ times its weight over all positive labels so far, by that over the negative ones;
    before the first batch it reads 100. A training step moves the sums after its loss; evaluation does not.
    With `background` the last score is the background's: it weighs 1 and is not counted.
    Shapes: scores (batch, classes), or one more with `background`, and class numbers (batch,) -> a scalar,
    the mean over rows of the sum over classes; (batch,) for `reduction="none"`.
    """

    batch_statistics = True  # rows of a batch that is cut would be counted at different times
    positive: Tensor
    negative: Tensor

    def __init__(
        self,
        num_classes: int,
        gamma: float = 12.0,
        mu: float = 0.8,
        alpha: float = 4.0,
        background: bool = False,
        reduction: str = "mean",
    ):
        super().__init__()
        self.reduction, self.background = checked(reduction), background
        self.gamma, self.mu, self.alpha = gamma, mu, alpha
        self.classes, self.outputs = num_classes, num_classes + background
        self.register_buffer("positive", torch.zeros(num_classes))
        self.register_buffer("negative", torch.zeros(num_classes))

    def ratio(self) -> Tensor:  # -> (classes,)
        """Of each class: the positive labels' gradients by the negative ones', 100 before there are any."""
        seen = self.positive + self.negative > 0
        return torch.where(seen, self.positive / (self.negative + 1e-10), 100.0)

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        fitting(prediction, self.outputs, "equalization_loss_v2")
        labels = one_hot(target, prediction)
        down = (self.gamma * (self.ratio() - self.mu)).sigmoid()
        down = F.pad(down, (0, self.outputs - self.classes), value=1.0)
        weights = torch.where(labels > 0.5, 1 + self.alpha * (1 - down), down).to(prediction.dtype)  # (b, k)
        losses = F.binary_cross_entropy_with_logits(prediction, labels, reduction="none")
        if learning(self):
            self._count(prediction, labels, weights)
        return reduced((weights * losses).sum(1), self.reduction)

    @torch.no_grad()
    def _count(self, prediction: Tensor, labels: Tensor, weights: Tensor) -> None:
        """Add the batch's weighed gradients to the sums."""
        slope = ((prediction.sigmoid() - labels).abs() * weights)[:, : self.classes]
        positive = labels[:, : self.classes]
        self.positive.add_((slope * positive).sum(0).to(self.positive.dtype))
        self.negative.add_((slope * (1 - positive)).sum(0).to(self.negative.dtype))

    def probabilities(self, scores: Tensor) -> Tensor:  # (b, k) -> (b, classes)
        """Of the classes: sigmoids, made to add up to one; the background is left out."""
        return normalised_sigmoid(scores[:, : self.classes])
