"""Losses between predicted and true boxes."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
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
else:
    __getattr__, __dir__ = exports(__name__, __file__)
