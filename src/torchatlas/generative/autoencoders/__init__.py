"""Autoencoders: encoder x decoder x corruption x trainer."""

from .autoencoder import Autoencoder as Autoencoder
from .denoising import DenoisingAutoencoder as DenoisingAutoencoder
from .stacked import StackedDenoisingAutoencoder as StackedDenoisingAutoencoder
