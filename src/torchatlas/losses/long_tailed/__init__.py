"""Losses for classes of very different sizes, and for samples of very different difficulty."""

from .adjusted import (
    BalancedSoftmax as BalancedSoftmax,
    LogitAdjustment as LogitAdjustment,
    adjusted as adjusted,
)
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
