"""Losses over embeddings: classes near to themselves and far from each other."""

from .embedding import AbstractEmbeddingLoss as AbstractEmbeddingLoss
from .triplet import TripletLoss as TripletLoss, TripletMiner as TripletMiner
