"""Explanations by a backward signal that is rectified: what in the picture speaks for a class, in detail."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from ...cards.card import method
from ...engine.errors import UsageError
from ..gradients import Model
from .activation_maps import Layer, gradcam
from .gradient import saliency

RELU = (F.relu, torch.relu, Tensor.relu)


@method("guided_backprop", year=2014, paper="arXiv:1412.6806", topics=("explainability", "vision"))
def guided_backprop(model: Model, x: Tensor, y: Tensor | None = None) -> Tensor:
    r"""Guided backpropagation: the score's gradient without what would lower an active unit.

    At every ReLU the signal R that comes back goes on as $R \cdot 1[f > 0] \cdot 1[R > 0]$, f what went into
    it; all else is the gradient, and the map is the largest size over channels. Such maps are sharp, and tell
    classes apart less than `gradcam`'s do.

    model, y, shapes: `saliency`'s. Raises UsageError for a model without a ReLU.
    """
    return _through(model, x, y, lambda f, signal: signal.relu() * (f > 0))


@method(
    "deconvnet_vis",
    year=2013,
    paper="arXiv:1311.2901",
    aliases=("deconvnet",),
    topics=("explainability", "vision"),
)
def deconvnet_vis(model: Model, x: Tensor, y: Tensor | None = None) -> Tensor:
    r"""Deconvnet: a class's score sent back through transposed filters, switches of pools and ReLUs.

    At every ReLU the signal goes on as $R \cdot 1[R > 0]$, whatever went into it on the way there; transposed
    filters and the switches of max pooling are the gradient's. The map is the largest size over channels. Of
    a network without max pooling it is nearly the same for every picture.

    model, y, shapes: `saliency`'s. Raises UsageError for a model without a ReLU.
    """
    return _through(model, x, y, lambda f, signal: signal.relu())


@method(
    "guided_gradcam",
    year=2016,
    paper="arXiv:1610.02391",
    aliases=("guided_grad_cam",),
    topics=("explainability", "vision"),
)
def guided_gradcam(model: Model, x: Tensor, y: Tensor | None = None, *, layer: Layer = None) -> Tensor:
    """Guided Grad-CAM: guided backpropagation's details where Grad-CAM sees the class; their product.

    Arguments, shapes and errors are those of `gradcam` and `guided_backprop`.
    """
    return gradcam(model, x, y, layer=layer) * guided_backprop(model, x, y)


class _Rectified(torch.autograd.Function):
    """ReLU with another way back: `rule(input, signal)`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rule: Any) -> Tensor:
        ctx.save_for_backward(x)
        ctx.rule = rule
        return x.clamp_min(0)

    @staticmethod
    def backward(ctx: Any, signal: Tensor) -> tuple[Tensor, None]:
        return ctx.rule(*ctx.saved_tensors, signal), None


class _Ruled(TorchFunctionMode):
    """While it is entered, every ReLU has another way back, whether a layer or a function."""

    def __init__(self, rule: Any):
        super().__init__()
        self.rule, self.met = rule, 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func not in RELU:
            return func(*args, **(kwargs or {}))
        self.met += 1
        return _Rectified.apply(args[0], self.rule)


def _through(model: Model, x: Tensor, y: Tensor | None, rule: Any) -> Tensor:
    with _Ruled(rule) as mode:
        found = saliency(model, x, y)
    if not mode.met:
        raise UsageError(
            "the model has no ReLU, at which alone this differs from the gradient: take saliency"
        )
    return found
