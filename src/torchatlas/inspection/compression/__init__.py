"""Compression: models with less in them that do the same."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .pruning import (
        density as density,
        make_permanent as make_permanent,
        pruning_magnitude as pruning_magnitude,
    )
else:
    __getattr__, __dir__ = exports(__name__, __file__)
