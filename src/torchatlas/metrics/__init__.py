"""Floor 2: metrics, what a trained model is judged by."""

from typing import TYPE_CHECKING

from ..cards.exports import exports

if TYPE_CHECKING:
    from .confusion import (
        AbstractConfusion as AbstractConfusion,
        ConfusionMatrix as ConfusionMatrix,
        PrecisionRecallF as PrecisionRecallF,
    )
    from .detection import (
        AbstractDetection as AbstractDetection,
        MeanAveragePrecision as MeanAveragePrecision,
    )
    from .images import PSNR as PSNR, SSIM as SSIM
    from .metric import AbstractMetric as AbstractMetric
    from .pose import (
        MPJPE as MPJPE,
        OKS as OKS,
        PCK as PCK,
        PCP as PCP,
        AveragePrecisionOKS as AveragePrecisionOKS,
        PCKh as PCKh,
        keypoint_similarity as keypoint_similarity,
    )
    from .ranking import (
        AbstractRanking as AbstractRanking,
        AveragePrecision as AveragePrecision,
        PRCurve as PRCurve,
    )
    from .segmentation import (
        ClassPixelAccuracy as ClassPixelAccuracy,
        DiceCoefficient as DiceCoefficient,
        FrequencyWeightedIoU as FrequencyWeightedIoU,
        IoU as IoU,
        MeanIoU as MeanIoU,
        MeanPixelAccuracy as MeanPixelAccuracy,
        PixelAccuracy as PixelAccuracy,
    )
else:
    __getattr__, __dir__ = exports(__name__, __file__)
