"""The usual augmentation of photographs."""

from torch import nn

from ...cards.card import method
from .color import ColorJitter
from .cropping import RandomCrop
from .shift import RandomFlip


@method(
    "data_augmentation",
    year=2012,
    paper="Krizhevsky et al., NeurIPS 2012",
    topics=("augmentation", "regularization", "vision"),
)
class DataAugmentation(nn.Sequential):
    """Data augmentation as usual for photographs: a padded random crop, a mirror image, other colours.

    `RandomCrop(padding)`, `RandomFlip(flip)`, and `ColorJitter` with `color` as the amount of brightness,
    contrast and saturation and a quarter of it as that of hue. The paper cropped 224 of 256 pixels, mirrored,
    and moved colours along their principal components.
    Shapes: (batch, channels, height, width) -> the same.
    """

    def __init__(self, padding: int = 4, flip: float = 0.5, color: float = 0.4):
        jitter = ColorJitter(color, color, color, color / 4)
        super().__init__(RandomCrop(padding), RandomFlip(flip), jitter)
