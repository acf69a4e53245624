"""Supervised learning."""

from .supervised import Supervised as Supervised, output_loss as output_loss
