"""Generative adversarial networks: players x pair of losses x regulariser."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .cyclegan import CycleGAN as CycleGAN
    from .gan import GAN as GAN
else:
    __getattr__, __dir__ = exports(__name__, __file__)
