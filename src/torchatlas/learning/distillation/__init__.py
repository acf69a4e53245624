"""Distillation: small models learn from what large ones know."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .forest import SoftLabelClassifier as SoftLabelClassifier
    from .soft_labels import SoftLabels as SoftLabels
    from .teacher import soft_targets as soft_targets
else:
    __getattr__, __dir__ = exports(__name__, __file__)
