"""Losses of a student against its teacher."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .soft_labels import KDLoss as KDLoss
else:
    __getattr__, __dir__ = exports(__name__, __file__)
