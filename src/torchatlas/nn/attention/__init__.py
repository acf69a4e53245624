"""Attention in convolutional networks: channels and positions of a map are weighted by what it holds."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .augmented import AttentionAugmentedConv2d as AttentionAugmentedConv2d
    from .bam import BAM as BAM
    from .cbam import CBAM as CBAM
    from .class_specific import ClassSpecificResidualAttention as ClassSpecificResidualAttention
    from .coordinate import CoordinateAttention as CoordinateAttention
    from .criss_cross import CrissCrossAttention as CrissCrossAttention
    from .double import DoubleAttention as DoubleAttention
    from .dual import DualAttention as DualAttention
    from .efficient_channel import ECA as ECA
    from .factored import (
        ExpectationMaximizationAttention as ExpectationMaximizationAttention,
        Hamburger as Hamburger,
    )
    from .fusion import ATAC as ATAC, AttentionalFusion as AttentionalFusion
    from .gate import AbstractGate as AbstractGate
    from .gather_excite import GatherExcite as GatherExcite
    from .global_context import GlobalContext as GlobalContext
    from .interlaced import InterlacedSparseAttention as InterlacedSparseAttention
    from .nonlocal_block import AsymmetricNonLocal as AsymmetricNonLocal, NonLocal as NonLocal
    from .placing import attend as attend, attention as attention
    from .polarized import PolarizedSelfAttention as PolarizedSelfAttention
    from .second_order import GSoP as GSoP
    from .selective import PyramidSplitAttention as PyramidSplitAttention, SelectiveKernel as SelectiveKernel
    from .self_calibrated import SelfCalibratedConv2d as SelfCalibratedConv2d
    from .shuffle import ShuffleAttention as ShuffleAttention
    from .spectral import FcaNet as FcaNet
    from .squeeze_excitation import (
        SCSE as SCSE,
        SE as SE,
        SpatialPyramidAttention as SpatialPyramidAttention,
        TiledSE as TiledSE,
    )
    from .statistics import NAM as NAM, SRM as SRM, SimAM as SimAM, SpatialGroupEnhance as SpatialGroupEnhance
    from .subspaces import ULSAM as ULSAM
    from .triplet import TripletAttention as TripletAttention
    from .vector import VectorAttention as VectorAttention
else:
    __getattr__, __dir__ = exports(__name__, __file__)
