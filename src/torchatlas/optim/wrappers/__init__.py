"""Wrappers: optimizers that let another one take the steps."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .agc import AGC as AGC
    from .lookahead import Lookahead as Lookahead
    from .sam import SAM as SAM
else:
    __getattr__, __dir__ = exports(__name__, __file__)
