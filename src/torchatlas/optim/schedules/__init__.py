"""Schedules: the learning rate as a function of the step."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .batch_size import (
        batch_size_schedule as batch_size_schedule,
        linear_scaling_rule as linear_scaling_rule,
    )
    from .inverse_sqrt import InverseSqrt as InverseSqrt
else:
    __getattr__, __dir__ = exports(__name__, __file__)
