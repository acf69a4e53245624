"""Attacks: small changes of an input that a model falls for."""

from .gradient import fgsm as fgsm, pgd as pgd
