"""Semi-supervised learning: few rows with targets, many without."""

from .fixmatch import FixMatch as FixMatch
from .mean_teacher import MeanTeacher as MeanTeacher
