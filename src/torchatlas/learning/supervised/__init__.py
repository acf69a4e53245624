"""Supervised learning."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .capsules import CapsNet as CapsNet
    from .maxup import MaxUp as MaxUp
    from .supervised import Supervised as Supervised, output_loss as output_loss
    from .vib import VIB as VIB
else:
    __getattr__, __dir__ = exports(__name__, __file__)
