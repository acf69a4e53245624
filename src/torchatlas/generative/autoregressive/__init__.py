"""Autoregressive models: each value given those before it."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .language_model import LanguageModel as LanguageModel
else:
    __getattr__, __dir__ = exports(__name__, __file__)
