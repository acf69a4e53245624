"""Losses of a student against its teacher."""

from .soft_labels import KDLoss as KDLoss
