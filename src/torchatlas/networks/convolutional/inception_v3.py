"""Inception v3: wide convolutions taken apart into narrow ones, one after another and side by side."""

from collections.abc import Sequence
from functools import partial

from torch import nn

from ...cards.card import method
from ...nn.choosing import Choice
from ..image import KeyMap, Size
from .inception_blocks import (
    MAX,
    MEAN,
    AbstractInception,
    AuxiliaryHead,
    Conv,
    Keep,
    Layer,
    Split,
    Units,
    block,
    chain,
    large_enough,
)

ROW, COLUMN = (1, 7), (7, 1)
STEM: tuple[Layer, ...] = (
    Conv(32, 3, 2, valid=True),
    Conv(32, 3, valid=True),
    Conv(64, 3),
    MAX,
    Conv(80),
    Conv(192, 3, valid=True),
)


def fine(pool: int) -> Split:
    """At 35×35: 1×1; 5×5; twice 3×3; the mean."""
    return block(
        (Conv(64),), (Conv(48), Conv(64, 5)), (Conv(64), Conv(96, 3), Conv(96, 3)), (MEAN, Conv(pool))
    )


def middle(width: int) -> Split:
    """At 17×17: 1×1; 7×7 and twice 7×7, each as a row and a column; the mean."""
    once = (Conv(width), Conv(width, ROW), Conv(192, COLUMN))
    twice = (Conv(width), Conv(width, COLUMN), Conv(width, ROW), Conv(width, COLUMN), Conv(192, ROW))
    return block((Conv(192),), once, twice, (MEAN, Conv(192)))


FINE_TO_MIDDLE = block(
    (Conv(384, 3, 2, valid=True),), (Conv(64), Conv(96, 3), Conv(96, 3, 2, valid=True)), (MAX,)
)
MIDDLE_TO_COARSE = block(
    (Conv(192), Conv(320, 3, 2, valid=True)),
    (Conv(192), Conv(192, ROW), Conv(192, COLUMN), Conv(192, 3, 2, valid=True)),
    (MAX,),
)
FORK = block((Conv(384, (1, 3)),), (Conv(384, (3, 1)),))
# At 8×8: 1×1; a row beside a column; the same after a 3×3; the mean.
COARSE = block((Conv(320),), (Conv(384), FORK), (Conv(448), Conv(384, 3), FORK), (MEAN, Conv(192)))


def auxiliary_head(channels: int, units: Units, num_classes: int) -> AuxiliaryHead:
    """A mean over 5×5 windows, 1×1, and 5×5 over what remains."""
    windows = Keep(partial(nn.AvgPool2d, 5, 3))
    body, features = chain(channels, (windows, Conv(128), Conv(768, 5, valid=True)), units)
    return AuxiliaryHead(body.extend([nn.AdaptiveAvgPool2d(1), nn.Flatten()]), features, num_classes)


KEYS: KeyMap = (
    (r"^Conv2d_1a_3x3\.", "stem.0."),
    (r"^Conv2d_2a_3x3\.", "stem.1."),
    (r"^Conv2d_2b_3x3\.", "stem.2."),
    (r"^Conv2d_3b_1x1\.", "stem.4."),
    (r"^Conv2d_4a_3x3\.", "stem.5."),
    (r"^Mixed_6a\.branch3x3\.", "stages.1.0.0.0."),
    (r"^Mixed_6a\.branch3x3dbl_", "stages.1.0.1_"),
    (r"^Mixed_7a\.branch3x3_", "stages.2.0.0_"),
    (r"^Mixed_7a\.branch7x7x3_", "stages.2.0.1_"),
    *((rf"^Mixed_5{letter}\.", f"stages.0.{k}.") for k, letter in enumerate("bcd", 1)),
    *((rf"^Mixed_6{letter}\.", f"stages.1.{k}.") for k, letter in enumerate("abcde")),
    *((rf"^Mixed_7{letter}\.", f"stages.2.{k}.") for k, letter in enumerate("abc")),
    (r"\.branch1x1\.", ".0.0."),
    (r"\.branch_pool\.", ".3.1."),
    (r"\.branch\dx\d_", ".1_"),
    (r"\.branch\dx\ddbl_", ".2_"),
    *((rf"_{k + 1}\.", f".{k}.") for k in range(5)),
    *((rf"_{k + 1}a\.", f".{k}.0.0.") for k in range(3)),
    *((rf"_{k + 1}b\.", f".{k}.1.0.") for k in range(3)),
    (r"^AuxLogits\.conv0\.", "auxiliary.0.body.1."),
    (r"^AuxLogits\.conv1\.", "auxiliary.0.body.2."),
    (r"^AuxLogits\.fc\.", "auxiliary.0.head."),
    (r"\.conv\.", ".0."),
    (r"\.bn\.", ".1."),
    (r"^fc\.", "head."),
)


@method(
    "inception_v3",
    year=2015,
    paper="arXiv:1512.00567",
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
        "pools": (),
        "middles": (),
        "last": 1,
        "width": 0.0625,
    },
    figures={"parameters": 23_834_568, "multiply_adds": 5_713_216_096},
)
class InceptionV3(AbstractInception):
    r"""Inception v3: modules of factorised convolutions at 35×35, 17×17 and 8×8 pixels.

    A 7×7 convolution is a 1×7 after a 7×1, and at the end 1×3 and 3×1 stand side by side. Blocks with two
    branches of stride 2 and a pooling halve the map. `pools` has the channels after the mean in each fine
    module, `middles` those within each module of 7×7, `last` counts the coarse ones; `width` multiplies all
    channels. `aux` adds the paper's head after the last 17×17 map, which `forward_all` gives and whose loss
    counts 0.4 in training, as its authors trained it; it needs images of 299×299 and more.
    Most convolutions of the stem have no border, so images should be large.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size from 75×75 fits.
    Errors: `UsageError` for smaller images.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size = (299, 299),
        pools: Sequence[int] = (32, 64, 64),
        middles: Sequence[int] = (128, 160, 160, 192),
        last: int = 2,
        width: float = 1.0,
        aux: bool = False,
        activation: Choice = "relu",
        dropout: float = 0.2,
    ):
        large_enough("inception_v3", input_size)
        if aux:
            large_enough("inception_v3", input_size, 299, " for its auxiliary head")
        units = Units(width, activation=activation)
        stages: tuple[Sequence[Layer], ...] = (
            (MAX, *map(fine, pools)),
            (FINE_TO_MIDDLE, *map(middle, middles)),
            (MIDDLE_TO_COARSE, *[COARSE] * last),
        )
        head = partial(auxiliary_head, units=units, num_classes=num_classes)
        super().__init__(
            in_channels,
            STEM,
            stages,
            units,
            num_classes,
            dropout,
            auxiliary={1: head} if aux else None,
            auxiliary_weight=0.4,
        )
        keys = KEYS if aux else ((r"^AuxLogits\..*", ""), *KEYS)
        self.key_maps = {"torchvision": keys, "timm": keys}  # type: ignore[misc]
