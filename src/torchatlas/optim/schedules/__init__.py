"""Schedules: the learning rate as a function of the step."""

from .batch_size import batch_size_schedule as batch_size_schedule, linear_scaling_rule as linear_scaling_rule
from .inverse_sqrt import InverseSqrt as InverseSqrt
