"""Inception v4: one plan for all modules, and a stem that splits as well."""

from collections.abc import Mapping
from typing import ClassVar

from ...cards.card import method
from ...nn.choosing import Choice
from ..image import KeyMap, Size
from .inception_blocks import MAX, MEAN_INSIDE, AbstractInception, Conv, Layer, Units, block, large_enough
from .inception_v3 import COLUMN, ROW

STEM: tuple[Layer, ...] = (
    Conv(32, 3, 2, valid=True),
    Conv(32, 3, valid=True),
    Conv(64, 3),
    block((MAX,), (Conv(96, 3, 2, valid=True),)),
    block(
        (Conv(64), Conv(96, 3, valid=True)),
        (Conv(64), Conv(64, ROW), Conv(64, COLUMN), Conv(96, 3, valid=True)),
    ),
)
TO_FINE = block((Conv(192, 3, 2, valid=True),), (MAX,))
FINE = block(
    (Conv(96),), (Conv(64), Conv(96, 3)), (Conv(64), Conv(96, 3), Conv(96, 3)), (MEAN_INSIDE, Conv(96))
)
FINE_TO_MIDDLE = block(
    (Conv(384, 3, 2, valid=True),), (Conv(192), Conv(224, 3), Conv(256, 3, 2, valid=True)), (MAX,)
)
MIDDLE = block(
    (Conv(384),),
    (Conv(192), Conv(224, ROW), Conv(256, COLUMN)),
    (Conv(192), Conv(192, COLUMN), Conv(224, ROW), Conv(224, COLUMN), Conv(256, ROW)),
    (MEAN_INSIDE, Conv(128)),
)
MIDDLE_TO_COARSE = block(
    (Conv(192), Conv(192, 3, 2, valid=True)),
    (Conv(256), Conv(256, ROW), Conv(320, COLUMN), Conv(320, 3, 2, valid=True)),
    (MAX,),
)
FORK = block((Conv(256, (1, 3)),), (Conv(256, (3, 1)),))
COARSE = block(
    (Conv(256),),
    (Conv(384), FORK),
    (Conv(384), Conv(448, (3, 1)), Conv(512, (1, 3)), FORK),
    (MEAN_INSIDE, Conv(256)),
)

KEYS_TIMM: KeyMap = (
    (r"^features\.3\.conv\.", "stem.3.1.0."),
    (r"^features\.5\.conv\.", "stages.0.0.0.0."),
    *((rf"^features\.{k}\.", f"stem.{k}.") for k in range(5)),
    *((rf"^features\.{6 + k}\.", f"stages.0.{1 + k}.") for k in range(4)),
    *((rf"^features\.{10 + k}\.", f"stages.1.{k}.") for k in range(8)),
    *((rf"^features\.{18 + k}\.", f"stages.2.{k}.") for k in range(4)),
    (r"\.branch0\.(?=conv|bn)", ".0.0."),
    (r"\.branch(\d)\.", r".\1."),
    (r"\.branch(\d)_(\d)\.", r".\1.\2."),
    (r"\.branch(\d)_(\d)a\.", r".\1.\2.0.0."),
    (r"\.branch(\d)_(\d)b\.", r".\1.\2.1.0."),
    (r"\.conv\.", ".0."),
    (r"\.bn\.", ".1."),
    (r"^last_linear\.", "head."),
)


@method(
    "inception_v4",
    year=2016,
    paper="arXiv:1602.07261",
    topics=("classification", "vision"),
    recipe={
        "optimizer": "sgd",
        "optimizer.momentum": 0.9,
        "optimizer.weight_decay": 1e-4,
        "lr": 0.05,
        "schedule": "lr_cosine",
        "batch_size": 128,
        "epochs": 30,
    },
    tiny={
        "num_classes": 3,
        "in_channels": 1,
        "input_size": (75, 75),
        "layers": (0, 0, 1),
        "width": 0.0625,
    },
    figures={"parameters": 42_679_816, "multiply_adds": 12_253_974_624},
)
class InceptionV4(AbstractInception):
    r"""Inception v4: a stem that splits three times, then 4, 7 and 3 like modules at 35×35, 17×17 and 8×8.

    Its modules are those of Inception v3, wider and alike within a stage. `layers` counts them, `width`
    multiplies all channels. Means over a window count the pixels of the map alone, not the border.
    Most convolutions of the stem have no border, so images should be large.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size from 75×75 fits.
    Errors: `UsageError` for smaller images.
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {"timm": KEYS_TIMM}

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size = (299, 299),
        layers: tuple[int, int, int] = (4, 7, 3),
        width: float = 1.0,
        activation: Choice = "relu",
        dropout: float = 0.2,
    ):
        large_enough("inception_v4", input_size)
        fine, middle, coarse = layers
        stages = (
            (TO_FINE, *[FINE] * fine),
            (FINE_TO_MIDDLE, *[MIDDLE] * middle),
            (MIDDLE_TO_COARSE, *[COARSE] * coarse),
        )
        units = Units(width, activation=activation)
        super().__init__(in_channels, STEM, stages, units, num_classes, dropout)
