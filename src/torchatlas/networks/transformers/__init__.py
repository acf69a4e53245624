"""Transformers: blocks of attention and a small network for each position."""

from .decoder import GPT as GPT, TransformerLM as TransformerLM
