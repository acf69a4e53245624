"""Autoregressive models: each value given those before it."""

from .language_model import LanguageModel as LanguageModel
