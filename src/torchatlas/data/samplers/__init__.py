"""Samplers: which rows an epoch has, as a function of (seed, epoch)."""

from .balanced import (
    ClassBalanced as ClassBalanced,
    ProgressivelyBalanced as ProgressivelyBalanced,
    ReversedSampling as ReversedSampling,
)
from .resampled import RandomOverSampling as RandomOverSampling, RandomUnderSampling as RandomUnderSampling
from .rows import AbstractByClass as AbstractByClass, RowsByClass as RowsByClass
