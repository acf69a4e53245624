"""Floor 6: looking into a model: what it costs, what fools it, what it looks at."""

from .cost import Count as Count, count_macs as count_macs, count_params as count_params
