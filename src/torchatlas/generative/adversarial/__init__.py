"""Generative adversarial networks: players x pair of losses x regulariser."""

from .cyclegan import CycleGAN as CycleGAN
from .gan import GAN as GAN
