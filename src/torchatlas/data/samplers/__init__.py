"""Samplers: which rows an epoch has, as a function of (seed, epoch)."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .balanced import (
        ClassBalanced as ClassBalanced,
        ProgressivelyBalanced as ProgressivelyBalanced,
        ReversedSampling as ReversedSampling,
    )
    from .resampled import (
        RandomOverSampling as RandomOverSampling,
        RandomUnderSampling as RandomUnderSampling,
    )
    from .rows import AbstractByClass as AbstractByClass, RowsByClass as RowsByClass
else:
    __getattr__, __dir__ = exports(__name__, __file__)
