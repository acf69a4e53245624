"""Gradient-free: optimizers that need no backward pass, only losses or one derivative along a direction."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .forward import ForwardGradient as ForwardGradient, forward_gradient as forward_gradient
    from .gradientless import GradientlessDescent as GradientlessDescent
    from .zeroth_order import ZerothOrder as ZerothOrder
else:
    __getattr__, __dir__ = exports(__name__, __file__)
