"""Normalisation: features brought to a common scale."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .batch import (
        AbstractBatchNorm as AbstractBatchNorm,
        GeneralizedBatchNorm as GeneralizedBatchNorm,
        L1BatchNorm as L1BatchNorm,
    )
    from .blocks import MixLN as MixLN, PostLN as PostLN, PreLN as PreLN
    from .conditional import SPADE as SPADE, AdaIN as AdaIN
    from .cosine import CosineLinear as CosineLinear
    from .data import whiten as whiten
    from .deviation import AbstractDeviation as AbstractDeviation
    from .elementwise import DyISRU as DyISRU, DyT as DyT
    from .fixup import FixupBlock as FixupBlock
    from .renorm import BatchRenorm as BatchRenorm
    from .residual import ReZero as ReZero, SkipInit as SkipInit
    from .response import FilterResponseNorm as FilterResponseNorm
    from .scaling import ScaledLayerNorm as ScaledLayerNorm
    from .switchable import SwitchableNorm as SwitchableNorm
else:
    __getattr__, __dir__ = exports(__name__, __file__)
