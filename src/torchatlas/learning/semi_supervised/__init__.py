"""Semi-supervised learning: few rows with targets, many without."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .fixmatch import FixMatch as FixMatch
    from .mean_teacher import MeanTeacher as MeanTeacher
else:
    __getattr__, __dir__ = exports(__name__, __file__)
