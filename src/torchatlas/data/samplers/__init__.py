"""Samplers: which rows an epoch has, as a function of (seed, epoch)."""

from .balanced import ClassBalanced as ClassBalanced
