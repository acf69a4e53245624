"""Augmentation: a batch in, a changed batch out; the noise comes from the default generators."""

from .cutout import Cutout as Cutout
from .noise import GaussianNoise as GaussianNoise
from .randaugment import RandAugment as RandAugment
from .shift import RandomFlip as RandomFlip, RandomShift as RandomShift
