"""Long-tailed learning: classes of very different sizes, none of which should be forgotten."""

from .decoupling import (
    DecouplingCRT as DecouplingCRT,
    DecouplingLWS as DecouplingLWS,
    DecouplingTau as DecouplingTau,
    tau_normalized as tau_normalized,
)
from .meta_sampler import MetaSampler as MetaSampler
from .nearest_mean import DecouplingNCM as DecouplingNCM
