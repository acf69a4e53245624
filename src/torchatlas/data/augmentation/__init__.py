"""Augmentation: a batch in, a changed batch out; the noise comes from the default generators.

Most are called `augment(x)`. One that mixes rows has `mixes = True` and is called `augment(x, y)` with
targets that are numbers: values, or for classes their probabilities (batch, classes); it gives both back.
"""

from typing import TYPE_CHECKING

from ...cards.exports import exports
from .chain import chain as chain

if TYPE_CHECKING:
    from .color import ColorJitter as ColorJitter
    from .cropping import RandomCrop as RandomCrop, RandomResizedCrop as RandomResizedCrop
    from .cutout import Cutout as Cutout
    from .mixing import CutMix as CutMix, Mixup as Mixup
    from .noise import GaussianNoise as GaussianNoise
    from .randaugment import RandAugment as RandAugment
    from .shift import RandomFlip as RandomFlip, RandomShift as RandomShift
    from .usual import DataAugmentation as DataAugmentation
else:
    __getattr__, __dir__ = exports(__name__, __file__)
