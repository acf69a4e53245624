"""Autoencoders: encoder x decoder x corruption x trainer."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .autoencoder import Autoencoder as Autoencoder
    from .denoising import DenoisingAutoencoder as DenoisingAutoencoder
    from .stacked import StackedDenoisingAutoencoder as StackedDenoisingAutoencoder
else:
    __getattr__, __dir__ = exports(__name__, __file__)
