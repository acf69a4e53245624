"""Long-tailed learning: classes of very different sizes, none of which should be forgotten."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .decoupling import (
        DecouplingCRT as DecouplingCRT,
        DecouplingLWS as DecouplingLWS,
        DecouplingTau as DecouplingTau,
        tau_normalized as tau_normalized,
    )
    from .meta_sampler import MetaSampler as MetaSampler
    from .nearest_mean import DecouplingNCM as DecouplingNCM
else:
    __getattr__, __dir__ = exports(__name__, __file__)
