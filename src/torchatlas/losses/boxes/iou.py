"""Box losses over IoU: one minus the overlap, and a penalty that leads where overlap alone does not."""

import math

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.boxes.iou import centre_distance, centre_gap, hull, shared, tiny
from ..reduction import checked, reduced_or_zero, single

SMALLEST = 1e-7  # overlap, for its logarithm


class AbstractBoxLoss(nn.Module):
    """A loss of each predicted box beside its true one; what it is says `losses`.

    Boxes without area and boxes whose corners are the wrong way round have finite losses and gradients. Half
    precision is worked out in float32, which the loss then has. The mean of no boxes is zero.
    """

    still = False  # whether a part of it is a weight through which no gradient flows

    def __init__(self, reduction: str = "mean"):
        super().__init__()
        self.reduction = checked(reduction)

    def losses(self, prediction: Tensor, target: Tensor) -> Tensor:  # 2 of (n, 4) -> (n,)
        """The loss of each box."""
        raise NotImplementedError

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        if prediction.shape != target.shape or prediction.shape[-1] != 4:
            raise UsageError(
                "boxes have the shape (n, 4): x1, y1, x2, y2 of each, predicted and true; got "
                f"{tuple(prediction.shape)} and {tuple(target.shape)}"
            )
        return reduced_or_zero(self.losses(single(prediction), single(target)), self.reduction)


def overlap(a: Tensor, b: Tensor) -> Tensor:  # 2 of (..., 4) -> (...)
    """The IoU of each pair, with a finite gradient; zero for pairs without area."""
    both, either = shared(a, b)
    return both / either.clamp_min(tiny(either) ** 2)


def sides(box: Tensor) -> tuple[Tensor, Tensor]:  # (..., 4) -> 2 of (...)
    """Width and height; zero where the corners are the wrong way round."""
    width, height = (box[..., 2:] - box[..., :2]).clamp(min=0).unbind(-1)
    return width, height


@method(
    "iou_loss",
    year=2016,
    paper="arXiv:1608.01471",
    topics=("detection", "vision"),
    aliases=("iou_losses",),
    variants={"linear_iou_loss": {"form": "linear"}},
)
class IoULoss(AbstractBoxLoss):
    r"""IoU loss: how little boxes overlap, $-\ln \mathrm{IoU}$, or 1 - IoU with `form="linear"`.

    It does not depend on the boxes' size. Boxes that do not touch have no gradient; the logarithm is taken of
    1e-7 at least.
    Shapes: boxes (n, 4) as x1, y1, x2, y2 and their truths -> a scalar; (n,) for `reduction="none"`.
    Errors: `UsageError` for other shapes and forms.
    """

    def __init__(self, form: str = "log", reduction: str = "mean"):
        super().__init__(reduction)
        if form not in ("log", "linear"):
            raise UsageError(f"iou_loss has the forms log and linear, not {form!r}")
        self.form = form

    def losses(self, prediction: Tensor, target: Tensor) -> Tensor:
        iou = overlap(prediction, target)
        return -iou.clamp_min(SMALLEST).log() if self.form == "log" else 1 - iou


@method(
    "giou_loss",
    year=2019,
    paper="arXiv:1902.09630",
    topics=("detection", "vision"),
)
class GIoULoss(AbstractBoxLoss):
    r"""GIoU loss: 1 - IoU, and the share of the box around both that neither covers.

    $1 - \mathrm{IoU} + |C \setminus (A \cup B)| / |C|$, C the smallest box around A and B; from 0 to 2. The
    second term draws boxes together that do not touch.
    Shapes: boxes (n, 4) as x1, y1, x2, y2 and their truths -> a scalar; (n,) for `reduction="none"`.
    """

    def losses(self, prediction: Tensor, target: Tensor) -> Tensor:
        both, either = shared(prediction, target)
        width, height = hull(prediction, target)
        least = tiny(either) ** 2
        around = width * height
        return 1 - both / either.clamp_min(least) + (around - either) / around.clamp_min(least)


@method(
    "diou_loss",
    year=2019,
    paper="arXiv:1911.08287",
    topics=("detection", "vision"),
)
class DIoULoss(AbstractBoxLoss):
    r"""DIoU loss: 1 - IoU, and the distance of the centres, $1 - \mathrm{IoU} + \rho^2 / c^2$.

    $\rho$ is the distance of the centres and c the diagonal of the smallest box around both.
    Shapes: boxes (n, 4) as x1, y1, x2, y2 and their truths -> a scalar; (n,) for `reduction="none"`.
    """

    def losses(self, prediction: Tensor, target: Tensor) -> Tensor:
        return 1 - overlap(prediction, target) + centre_distance(prediction, target)


@method(
    "ciou_loss",
    year=2019,
    paper="arXiv:1911.08287",
    topics=("detection", "vision"),
)
class CIoULoss(AbstractBoxLoss):
    r"""CIoU loss: the DIoU loss, and how unlike the shapes are, $1 - \mathrm{IoU} + \rho^2 / c^2 + \alpha v$.

    $v = \frac{4}{\pi^2} (\arctan \frac{w'}{h'} - \arctan \frac{w}{h})^2$ of widths and heights, and
    $\alpha = v / (1 - \mathrm{IoU} + v)$, through which no gradient flows. Boxes of one shape: DIoU.
    Shapes: boxes (n, 4) as x1, y1, x2, y2 and their truths -> a scalar; (n,) for `reduction="none"`.
    """

    still = True

    def losses(self, prediction: Tensor, target: Tensor) -> Tensor:
        iou = overlap(prediction, target)
        v = 4 / math.pi**2 * (_angle(target) - _angle(prediction)).square()
        missing = (1 - iou + v).detach()
        alpha = v.detach() / missing.clamp_min(tiny(missing))
        return 1 - iou + centre_distance(prediction, target) + alpha * v


def _angle(box: Tensor) -> Tensor:
    width, height = sides(box)
    return torch.atan2(width, height.clamp_min(tiny(height)))


@method(
    "eiou_loss",
    year=2021,
    paper="arXiv:2101.08158",
    topics=("detection", "vision"),
    variants={"focal_eiou_loss": {"gamma": 0.5}},
)
class EIoULoss(AbstractBoxLoss):
    r"""EIoU loss: the DIoU loss, and how far widths and heights are off, each by itself.

    $1 - \mathrm{IoU} + \rho^2 / c^2 + (w - w')^2 / C_w^2 + (h - h')^2 / C_h^2$, with $C_w$, $C_h$ the sides
    of the smallest box around both. `gamma` above 0 (0.5: `focal_eiou_loss`) multiplies it by
    $\mathrm{IoU}^\gamma$, a weight without gradient, so that the well placed boxes count most; boxes that do
    not touch then have no loss.
    Shapes: boxes (n, 4) as x1, y1, x2, y2 and their truths -> a scalar; (n,) for `reduction="none"`.
    """

    def __init__(self, gamma: float = 0.0, reduction: str = "mean"):
        super().__init__(reduction)
        if not gamma >= 0:
            raise UsageError(f"gamma must be at least 0, not {gamma}")
        self.gamma, self.still = gamma, gamma > 0

    def losses(self, prediction: Tensor, target: Tensor) -> Tensor:
        iou = overlap(prediction, target)
        loss = 1 - iou + centre_distance(prediction, target)
        for own, true, around in zip(sides(prediction), sides(target), hull(prediction, target)):
            loss = loss + (own - true).square() / around.square().clamp_min(tiny(around) ** 2)
        return iou.detach() ** self.gamma * loss if self.gamma else loss


@method(
    "siou_loss",
    year=2022,
    paper="arXiv:2205.12740",
    topics=("detection", "vision"),
)
class SIoULoss(AbstractBoxLoss):
    r"""SIoU loss: 1 - IoU, and half of a distance that heeds direction and of a difference in shape.

    $1 - \mathrm{IoU} + (\Delta + \Omega) / 2$. Angle: $Λ = 1 - 2 \sin^2(\arcsin x - \pi/4)$, x the
    sine of the way between the centres: 1 on the diagonal, 0 along an axis. Distance: $\Delta = \sum (1 -
    e^{-(2 - Λ) \rho})$ over both axes, $\rho$ the square of the gap of the centres over the side of
    the box around both. Shape: $\Omega = \sum (1 - e^{-\omega})^\theta$, $\omega$ the difference of widths
    (heights) over the larger one.
    Shapes: boxes (n, 4) as x1, y1, x2, y2 and their truths -> a scalar; (n,) for `reduction="none"`.
    """

    def __init__(self, theta: float = 4.0, reduction: str = "mean"):
        super().__init__(reduction)
        if not theta >= 1:
            raise UsageError(f"theta must be at least 1 (2 to 6 are usual), not {theta}")
        self.theta = theta

    def losses(self, prediction: Tensor, target: Tensor) -> Tensor:
        across, down = centre_gap(prediction, target)
        way = (across.square() + down.square()).clamp_min(tiny(across) ** 2)
        angle = 2 * (across * down).abs() / way  # 2 sin cos: the Λ of either angle
        distance, shape = torch.zeros_like(way), torch.zeros_like(way)
        around = hull(prediction, target)
        for gap, side, own, true in zip((across, down), around, sides(prediction), sides(target)):
            rho = gap.square() / side.square().clamp_min(tiny(side) ** 2)
            distance = distance - torch.expm1((angle - 2) * rho)
            omega = (own - true).abs() / torch.maximum(own, true).clamp_min(tiny(own))
            shape = shape + (-torch.expm1(-omega)) ** self.theta
        return 1 - overlap(prediction, target) + (distance + shape) / 2


@method(
    "mpdiou_loss",
    year=2023,
    paper="arXiv:2307.07662",
    topics=("detection", "vision"),
    tiny={"image_size": 10},
)
class MPDIoULoss(AbstractBoxLoss):
    r"""MPDIoU loss: 1 - IoU, and how far two corners are off, $(d_1^2 + d_2^2) / (W^2 + H^2)$.

    $d_1$ and $d_2$ are the distances of the upper left and of the lower right corners; W and H are the sides
    of the image that the boxes lie in: `image_size`, one number or (height, width).
    Shapes: boxes (n, 4) as x1, y1, x2, y2 and their truths -> a scalar; (n,) for `reduction="none"`.
    """

    def __init__(self, image_size: float | tuple[float, float], reduction: str = "mean"):
        super().__init__(reduction)
        height, width = (image_size, image_size) if isinstance(image_size, int | float) else image_size
        if not min(height, width) > 0:
            raise UsageError(f"image_size is above 0, not {image_size}")
        self.height, self.width = height, width

    def losses(self, prediction: Tensor, target: Tensor) -> Tensor:
        corners = (prediction - target).square().sum(-1)
        return 1 - overlap(prediction, target) + corners / (self.height**2 + self.width**2)
