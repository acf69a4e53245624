"""Losses over embeddings: classes near to themselves and far from each other."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .angular import AngularLoss as AngularLoss
    from .binomial_deviance import BinomialDeviance as BinomialDeviance
    from .circle import CircleLoss as CircleLoss
    from .contrastive import ContrastiveLoss as ContrastiveLoss
    from .embedding import AbstractEmbeddingLoss as AbstractEmbeddingLoss
    from .hard_triplet import BatchHardTriplet as BatchHardTriplet, QuadrupletLoss as QuadrupletLoss
    from .hierarchical import HierarchicalTriplet as HierarchicalTriplet
    from .histogram import HistogramLoss as HistogramLoss
    from .lifted import LiftedStructured as LiftedStructured
    from .magnet import MagnetLoss as MagnetLoss
    from .multi_similarity import (
        MultiSimilarity as MultiSimilarity,
        MultiSimilarityMiner as MultiSimilarityMiner,
    )
    from .n_pair import NPairLoss as NPairLoss
    from .proxies import (
        ProxyAnchor as ProxyAnchor,
        ProxyNCA as ProxyNCA,
        ProxyNCAPlusPlus as ProxyNCAPlusPlus,
    )
    from .ranked_list import RankedListLoss as RankedListLoss
    from .soft_nearest_neighbor import SoftNearestNeighbor as SoftNearestNeighbor
    from .triplet import (
        ImprovedTriplet as ImprovedTriplet,
        TripletLoss as TripletLoss,
        TripletMiner as TripletMiner,
    )
else:
    __getattr__, __dir__ = exports(__name__, __file__)
