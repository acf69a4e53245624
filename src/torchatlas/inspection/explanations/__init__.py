"""Explanations: which parts of an input a model's answer hangs on."""

from .gradient import saliency as saliency
