"""Floor 2: metrics, what a trained model is judged by."""

from .metric import AbstractMetric as AbstractMetric
from .segmentation import MeanIoU as MeanIoU
