"""Losses between predicted and true boxes."""

from .iou import (
    CIoULoss as CIoULoss,
    DIoULoss as DIoULoss,
    EIoULoss as EIoULoss,
    GIoULoss as GIoULoss,
    IoULoss as IoULoss,
    MPDIoULoss as MPDIoULoss,
    SIoULoss as SIoULoss,
)
from .l1 import BalancedL1Loss as BalancedL1Loss, DynamicSmoothL1Loss as DynamicSmoothL1Loss
