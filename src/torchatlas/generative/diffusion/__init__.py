"""Diffusion: a process that turns data into noise, step by step, and a network that undoes a step."""

from typing import TYPE_CHECKING

from ...cards.exports import exports

if TYPE_CHECKING:
    from .ddpm import DDPM as DDPM
    from .process import Noising as Noising, linear_betas as linear_betas
else:
    __getattr__, __dir__ = exports(__name__, __file__)
