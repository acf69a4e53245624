"""Penalties: what is added to a loss so that a network is simpler, smoother or surer than it need be."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .agreement import RDrop as RDrop, VirtualAdversarial as VirtualAdversarial
    from .flooding import Flooding as Flooding
    from .gates import L0Regularization as L0Regularization
    from .gradients import (
        GradientPenaltyInputs as GradientPenaltyInputs,
        GradientPenaltyParams as GradientPenaltyParams,
    )
    from .norms import (
        ElasticNet as ElasticNet,
        L1Regularization as L1Regularization,
        L2Regularization as L2Regularization,
        Weissi as Weissi,
    )
    from .orthogonality import SelfOrthogonality as SelfOrthogonality
    from .penalty import AbstractPenalty as AbstractPenalty, Penalties as Penalties
    from .spectral import SpectralNormRegularization as SpectralNormRegularization
else:
    __getattr__, __dir__ = exports(__name__, __file__)
