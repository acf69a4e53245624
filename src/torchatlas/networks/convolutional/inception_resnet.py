"""Inception-ResNet: what branches find is scaled down and added to the map."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor, nn

from ...cards.card import method
from ...nn.choosing import Choice, chosen
from ...nn.regularization.stochastic_depth import StochasticDepth, drop_rates
from ..image import KeyMap, Size
from .inception_blocks import (
    MAX,
    MEAN_INSIDE,
    AbstractInception,
    Conv,
    Layer,
    Split,
    Units,
    block,
    large_enough,
)
from .inception_v3 import COLUMN, ROW, STEM


class ScaledResidual(nn.Module):
    r"""Branches, a linear 1×1 convolution back to the map's channels, and the sum: $\phi(x + s F(x))$."""

    def __init__(
        self, branches: nn.Module, inner: int, channels: int, scale: float, drop_path: float, after: nn.Module
    ):
        super().__init__()
        self.branches, self.scale, self.activation = branches, scale, after
        self.mix = nn.Conv2d(inner, channels, 1)
        self.drop = StochasticDepth(drop_path)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> the same
        found = self.mix(self.branches(x))
        result: Tensor = self.activation(x + self.drop(self.scale * found))
        return result


@dataclass(frozen=True)
class Residual:
    """A scaled residual of branches, in a table; the activation may be left out."""

    branches: Split
    scale: float
    activated: bool = True
    drop_path: float = 0.0

    def make(self, in_channels: int, units: Units) -> tuple[nn.Module, int]:
        branches, inner = self.branches.make(in_channels, units)
        after = chosen(units.activation, in_channels) if self.activated else nn.Identity()
        return ScaledResidual(branches, inner, in_channels, self.scale, self.drop_path, after), in_channels


TO_FINE = block(
    (Conv(96),), (Conv(48), Conv(64, 5)), (Conv(64), Conv(96, 3), Conv(96, 3)), (MEAN_INSIDE, Conv(64))
)
FINE = Residual(block((Conv(32),), (Conv(32), Conv(32, 3)), (Conv(32), Conv(48, 3), Conv(64, 3))), 0.17)
FINE_TO_MIDDLE = block(
    (Conv(384, 3, 2, valid=True),), (Conv(256), Conv(256, 3), Conv(384, 3, 2, valid=True)), (MAX,)
)
MIDDLE = Residual(block((Conv(192),), (Conv(128), Conv(160, ROW), Conv(192, COLUMN))), 0.1)
MIDDLE_TO_COARSE = block(
    (Conv(256), Conv(384, 3, 2, valid=True)),
    (Conv(256), Conv(288, 3, 2, valid=True)),
    (Conv(256), Conv(288, 3), Conv(320, 3, 2, valid=True)),
    (MAX,),
)
COARSE = Residual(block((Conv(192),), (Conv(192), Conv(224, (1, 3)), Conv(256, (3, 1)))), 0.2)
FINAL = replace(COARSE, scale=1.0, activated=False)


def stages(layers: tuple[int, int, int], drop_path: float) -> Iterator[Sequence[Layer]]:
    """The three stages; the rates at which blocks are left out rise from block to block."""
    fine, middle, coarse = layers
    end = [*[COARSE] * (coarse - 1), FINAL] if coarse else []
    blocks = [[FINE] * fine, [MIDDLE] * middle, end]
    rates = iter(drop_rates(sum(map(len, blocks)), drop_path))
    before: tuple[Sequence[Layer], ...] = ((MAX, TO_FINE), (FINE_TO_MIDDLE,), (MIDDLE_TO_COARSE,))
    for first, row in zip(before, blocks, strict=True):
        yield (*first, *(replace(each, drop_path=next(rates)) for each in row))


KEYS_TIMM: KeyMap = (
    (r"^conv2d_1a\.", "stem.0."),
    (r"^conv2d_2a\.", "stem.1."),
    (r"^conv2d_2b\.", "stem.2."),
    (r"^conv2d_3b\.", "stem.4."),
    (r"^conv2d_4a\.", "stem.5."),
    (r"^mixed_5b\.", "stages.0.1."),
    (r"^mixed_6a\.", "stages.1.0."),
    (r"^mixed_7a\.", "stages.2.0."),
    *((rf"^repeat\.{k}\.", f"stages.0.{k + 2}.branches.") for k in range(10)),
    *((rf"^repeat_1\.{k}\.", f"stages.1.{k + 1}.branches.") for k in range(20)),
    *((rf"^repeat_2\.{k}\.", f"stages.2.{k + 1}.branches.") for k in range(9)),
    (r"^block8\.", "stages.2.10.branches."),
    (r"\.branches\.conv2d\.", ".mix."),
    (r"^conv2d_7b\.", "neck.0."),
    (r"\.branch(\d)\.(?=conv|bn)", r".\1.0."),
    (r"\.branch(\d)\.", r".\1."),
    (r"\.conv\.", ".0."),
    (r"\.bn\.", ".1."),
    (r"^classif\.", "head."),
)


@method(
    "inception_resnet_v2",
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
        "layers": (0, 0, 2),
        "width": 0.0625,
    },
    figures={"parameters": 55_843_464, "multiply_adds": 13_155_794_016},
)
class InceptionResNetV2(AbstractInception):
    r"""Inception-ResNet v2: residual blocks of branches, $x_{l+1} = \phi(x_l + s F(x_l))$ with a small s.

    s is 0.17 at 35×35 pixels, 0.1 at 17×17 and 0.2 at 8×8: without it wide networks stop learning. `layers`
    counts the blocks of each stage, `width` multiplies all channels, `drop_path` is stochastic depth's last
    rate. This is the form that the authors released and trained weights have: Inception v3's stem, 10, 20
    and 10 blocks, the last of them without scale and activation, and a 1×1 convolution at the end. The
    paper's figures show Inception v4's stem and 5, 10 and 5 blocks.
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
        layers: tuple[int, int, int] = (10, 20, 10),
        width: float = 1.0,
        activation: Choice = "relu",
        drop_path: float = 0.0,
        dropout: float = 0.2,
    ):
        large_enough("inception_resnet_v2", input_size)
        super().__init__(
            in_channels,
            STEM,
            tuple(stages(layers, drop_path)),
            Units(width, activation=activation),
            num_classes,
            dropout,
            last=(Conv(1536),),
        )
