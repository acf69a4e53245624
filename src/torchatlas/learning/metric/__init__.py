"""Metric learning: embeddings in which classes are near to themselves."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .embedding import Embedding as Embedding
else:
    __getattr__, __dir__ = exports(__name__, __file__)
