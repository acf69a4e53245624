"""Distillation: small models learn from what large ones know."""

from .forest import SoftLabelClassifier as SoftLabelClassifier
from .soft_labels import SoftLabels as SoftLabels
from .teacher import soft_targets as soft_targets
