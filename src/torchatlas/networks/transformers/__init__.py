"""Transformers: blocks of attention and a small network for each position."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .decoder import GPT as GPT, TransformerLM as TransformerLM
else:
    __getattr__, __dir__ = exports(__name__, __file__)
