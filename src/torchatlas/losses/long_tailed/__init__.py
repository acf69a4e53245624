"""Losses for classes of very different sizes, and for samples of very different difficulty."""

from .focal import FocalLoss as FocalLoss, SigmoidFocalLoss as SigmoidFocalLoss
