"""Pairs of losses for GANs: objects with `critic(real_logits, fake_logits)` and `generator(fake_logits)`."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .boundary_seeking import BoundarySeeking as BoundarySeeking
    from .f_gan import FGAN as FGAN
    from .fisher import Fisher as Fisher
    from .gradient_normalization import GradientNormalized as GradientNormalized
    from .gradient_penalties import (
        DRAGAN as DRAGAN,
        WassersteinDiv as WassersteinDiv,
        WassersteinGP as WassersteinGP,
    )
    from .hinge import Hinge as Hinge
    from .least_squares import LeastSquares as LeastSquares
    from .minimax import Minimax as Minimax, NonSaturating as NonSaturating
    from .moments import MMDGAN as MMDGAN, McGAN as McGAN
    from .pair import Pair as Pair
    from .quadratic import GANQP as GANQP
    from .relativistic import Relativistic as Relativistic
    from .softmax_gan import SoftmaxGAN as SoftmaxGAN
    from .wasserstein import Wasserstein as Wasserstein
else:
    __getattr__, __dir__ = exports(__name__, __file__)
