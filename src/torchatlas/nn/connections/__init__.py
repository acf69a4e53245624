"""Connections around layers: how what a layer makes meets what it was given."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .skip import SkipConnection as SkipConnection
else:
    __getattr__, __dir__ = exports(__name__, __file__)
