"""Floor 2: losses, what training makes small."""

from .consistency import ConsistencyLoss as ConsistencyLoss
from .margin import MarginLoss as MarginLoss
from .perceptron import PerceptronLoss as PerceptronLoss
from .polynomial import PolyLoss as PolyLoss
from .quality import (
    DistributionFocalLoss as DistributionFocalLoss,
    QualityFocalLoss as QualityFocalLoss,
    VarifocalLoss as VarifocalLoss,
)
