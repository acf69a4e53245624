"""Recurrent networks: a state that is carried from step to step."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .lstm import LSTM as LSTM
else:
    __getattr__, __dir__ = exports(__name__, __file__)
