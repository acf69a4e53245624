"""Gradient-free: optimizers that need no backward pass, only losses or one derivative along a direction."""

from .forward import ForwardGradient as ForwardGradient, forward_gradient as forward_gradient
from .gradientless import GradientlessDescent as GradientlessDescent
from .zeroth_order import ZerothOrder as ZerothOrder
