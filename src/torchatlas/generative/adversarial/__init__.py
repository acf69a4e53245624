"""Generative adversarial networks: players x pair of losses x regulariser."""

from .gan import GAN as GAN
