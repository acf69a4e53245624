"""Losses between sequences of unequal lengths, and how labels are read off what they train."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .decoding import ctc_beam_search as ctc_beam_search, ctc_greedy_decode as ctc_greedy_decode
else:
    __getattr__, __dir__ = exports(__name__, __file__)
