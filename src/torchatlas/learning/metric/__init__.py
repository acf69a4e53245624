"""Metric learning: embeddings in which classes are near to themselves."""

from .embedding import Embedding as Embedding
