"""Variational autoencoders: posterior x prior x likelihood x bound."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .bounds import Latents as Latents, elbo as elbo, importance_bound as importance_bound
    from .factor_vae import FactorVAE as FactorVAE
    from .parts import (
        Bernoulli as Bernoulli,
        DiagonalGaussian as DiagonalGaussian,
        Gaussian as Gaussian,
        StandardNormal as StandardNormal,
    )
    from .vae import VAE as VAE
else:
    __getattr__, __dir__ = exports(__name__, __file__)
