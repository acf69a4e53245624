"""Diffusion: a process that turns data into noise, step by step, and a network that undoes a step."""

from .ddpm import DDPM as DDPM
from .process import Noising as Noising, linear_betas as linear_betas
