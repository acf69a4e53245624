"""Losses between sequences of unequal lengths, and how labels are read off what they train."""

from .decoding import ctc_beam_search as ctc_beam_search, ctc_greedy_decode as ctc_greedy_decode
