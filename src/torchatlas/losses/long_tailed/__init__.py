"""Losses for classes of very different sizes, and for samples of very different difficulty."""

from typing import TYPE_CHECKING

from ...cards.exports import exports
from .adjusted import (
    BalancedSoftmax as BalancedSoftmax,
    LogitAdjustment as LogitAdjustment,
    adjusted as adjusted,
)

if TYPE_CHECKING:
    from .bags import BAGS as BAGS
    from .equalized import (
        EqualizationLoss as EqualizationLoss,
        EqualizationLossV2 as EqualizationLossV2,
        SigmoidEqualizationLoss as SigmoidEqualizationLoss,
    )
    from .focal import FocalLoss as FocalLoss, SigmoidFocalLoss as SigmoidFocalLoss
    from .harmonized import GHMLoss as GHMLoss, GHMRegressionLoss as GHMRegressionLoss
    from .seesaw import SeesawLoss as SeesawLoss
    from .weighted import (
        ClassBalancedLoss as ClassBalancedLoss,
        CostSensitiveCE as CostSensitiveCE,
        InverseClassFrequency as InverseClassFrequency,
    )
else:
    __getattr__, __dir__ = exports(__name__, __file__)
