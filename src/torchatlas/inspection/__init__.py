"""Floor 6: looking into a model: what it costs, what fools it, what it looks at."""

from typing import TYPE_CHECKING

from ..cards.exports import exports
from .backprop import Passes as Passes, backprop as backprop
from .receptive_field import Field as Field, receptive_field as receptive_field

if TYPE_CHECKING:
    from .cost import Count as Count, count_macs as count_macs, count_params as count_params
    from .equivalence import conv_to_linear as conv_to_linear, linear_to_conv as linear_to_conv
    from .gap import Gap as Gap, error_gap as error_gap
    from .memory import count_activations as count_activations
    from .ratios import separable_cost_ratio as separable_cost_ratio
    from .stopping import Stop as Stop, early_stopping as early_stopping
else:
    __getattr__, __dir__ = exports(__name__, __file__)
