"""Capsule networks: groups of units whose length says whether a thing is there, and whose direction how."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .capsnet import CapsuleNetwork as CapsuleNetwork
else:
    __getattr__, __dir__ = exports(__name__, __file__)
