"""Compression: models with less in them that do the same."""

from .pruning import (
    density as density,
    make_permanent as make_permanent,
    pruning_magnitude as pruning_magnitude,
)
