"""Floor 2: losses, what training makes small."""

from typing import TYPE_CHECKING

from ..cards.exports import exports

if TYPE_CHECKING:
    from .consistency import ConsistencyLoss as ConsistencyLoss
    from .margin import MarginLoss as MarginLoss
    from .perceptron import PerceptronLoss as PerceptronLoss
    from .polynomial import PolyLoss as PolyLoss
    from .quality import (
        DistributionFocalLoss as DistributionFocalLoss,
        QualityFocalLoss as QualityFocalLoss,
        VarifocalLoss as VarifocalLoss,
    )
else:
    __getattr__, __dir__ = exports(__name__, __file__)
