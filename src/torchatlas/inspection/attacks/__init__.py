"""Attacks: small changes of an input that a model falls for."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .gradient import fgsm as fgsm, pgd as pgd
else:
    __getattr__, __dir__ = exports(__name__, __file__)
