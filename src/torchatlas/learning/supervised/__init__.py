"""Supervised learning."""

from .capsules import CapsNet as CapsNet
from .maxup import MaxUp as MaxUp
from .supervised import Supervised as Supervised, output_loss as output_loss
from .vib import VIB as VIB
