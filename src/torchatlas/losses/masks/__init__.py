"""Losses between scores of classes at every pixel and the classes that the pixels have."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .boundary import BoundaryLoss as BoundaryLoss, HausdorffDTLoss as HausdorffDTLoss
    from .distance import distance_to as distance_to
    from .lovasz import LovaszHinge as LovaszHinge, LovaszSoftmax as LovaszSoftmax
    from .pixels import (
        DistancePenalisedCrossEntropy as DistancePenalisedCrossEntropy,
        TopKCrossEntropy as TopKCrossEntropy,
        WeightedCrossEntropy as WeightedCrossEntropy,
    )
    from .region import (
        AsymmetricSimilarityLoss as AsymmetricSimilarityLoss,
        DiceLoss as DiceLoss,
        FocalTverskyLoss as FocalTverskyLoss,
        GeneralizedDiceLoss as GeneralizedDiceLoss,
        PenaltyGDLoss as PenaltyGDLoss,
        SensitivitySpecificityLoss as SensitivitySpecificityLoss,
        SoftIoULoss as SoftIoULoss,
        TverskyLoss as TverskyLoss,
    )
else:
    __getattr__, __dir__ = exports(__name__, __file__)
