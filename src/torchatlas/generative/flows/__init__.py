"""Normalising flows: base density x transforms that can be undone."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .coupling import (
        Coupling as Coupling,
        ResidualNet as ResidualNet,
        alternating as alternating,
        channels as channels,
        checkerboard as checkerboard,
    )
    from .flow import Base as Base, Flow as Flow, StandardNormal as StandardNormal
    from .real_nvp import RealNVP as RealNVP
    from .transforms import (
        Affine as Affine,
        Chain as Chain,
        FirstHalf as FirstHalf,
        Flatten as Flatten,
        Logit as Logit,
        MaskedNorm as MaskedNorm,
        Squeeze as Squeeze,
        Transform as Transform,
        Undo as Undo,
    )
else:
    __getattr__, __dir__ = exports(__name__, __file__)
