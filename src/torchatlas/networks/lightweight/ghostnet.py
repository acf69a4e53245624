"""GhostNet: half of the maps are cheap ghosts of the other half."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from math import ceil
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...nn.attention.squeeze_excitation import SqueezeExcite
from ...nn.choosing import Choice, chosen
from ...nn.regularization.stochastic_depth import drop_rates
from ..convolutional.resnet import AbstractResidualBlock
from ..image import AbstractImageNetwork, KeyMap, Size, is_small
from ..layers import conv_norm, divisible, start_kaiming

Row = tuple[int, int, int, bool]  # kernel, channels within, channels out, squeeze and excitation

STAGES: tuple[tuple[Row, ...], ...] = (  # of the paper's table 1; each but the first halves the map
    ((3, 16, 16, False),),
    ((3, 48, 24, False), (3, 72, 24, False)),
    ((5, 72, 40, True), (5, 120, 40, True)),
    (
        *((3, 240, 80, False), (3, 200, 80, False), (3, 184, 80, False), (3, 184, 80, False)),
        *((3, 480, 112, True), (3, 672, 112, True)),
    ),
    (
        (5, 672, 160, True),
        (5, 960, 160, False),
        (5, 960, 160, True),
        (5, 960, 160, False),
        (5, 960, 160, True),
    ),
)


class GhostModule(nn.Module):
    """A convolution to 1/ratio of the channels, and depthwise ones that make the rest from these.

    Each is normalised and activated. What is more than `channels` is cut off.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        kernel: int = 1,
        ratio: int = 2,
        cheap_kernel: int = 3,
        activation: Choice | None = "relu",
    ):
        super().__init__()
        own = ceil(channels / ratio)
        self.primary = conv_norm(in_channels, own, kernel, activation=activation)
        self.cheap = conv_norm(own, own * (ratio - 1), cheap_kernel, groups=own, activation=activation)
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', h, w)
        own = self.primary(x)
        return torch.cat((own, self.cheap(own)), 1)[:, : self.channels]


class GhostBottleneck(AbstractResidualBlock):
    """A ghost module to more channels, a depthwise convolution where the map is halved, and one to fewer.

    With `excite`, squeeze-and-excitation stands before the second: a straight sigmoid, a quarter of the
    channels between. Nothing is activated after the second ghost module, nor after the sum.
    """

    def __init__(
        self,
        in_channels: int,
        within: int,
        channels: int,
        kernel: int,
        stride: int,
        excite: bool,
        activation: Choice = "relu",
        drop_path: float = 0.0,
    ):
        halving = conv_norm(within, within, kernel, stride, within, activation=None)
        body = (
            GhostModule(in_channels, within, activation=activation),
            halving if stride > 1 else nn.Identity(),
            SqueezeExcite(within, divisible(within / 4, 4), gate="hardsigmoid") if excite else nn.Identity(),
            GhostModule(within, channels, activation=None),
        )
        around = partial(_shortcut, kernel=kernel)
        super().__init__(body, in_channels, channels, stride, around, "identity", drop_path=drop_path)


def _shortcut(in_channels: int, channels: int, stride: int, kernel: int) -> nn.Module:
    return nn.Sequential(
        *conv_norm(in_channels, in_channels, kernel, stride, in_channels, activation=None),
        *conv_norm(in_channels, channels, activation=None),
    )


def _keys() -> Iterator[tuple[str, str]]:
    """timm's names: where the map is halved it begins a group, and the rest of a stage is another group."""
    yield r"^blocks\.0\.0\.", "stages.0.0."
    for stage in range(1, len(STAGES)):
        yield rf"^blocks\.{2 * stage - 1}\.0\.", f"stages.{stage}.0."
        for block in range(1, len(STAGES[stage])):
            yield rf"^blocks\.{2 * stage}\.{block - 1}\.", f"stages.{stage}.{block}."
    yield r"^conv_stem\.", "stem.0."
    yield r"^bn1\.", "stem.1."
    yield rf"^blocks\.{2 * len(STAGES) - 1}\.0\.conv\.", "neck.0.0."
    yield rf"^blocks\.{2 * len(STAGES) - 1}\.0\.bn1\.", "neck.0.1."
    yield r"^conv_head\.", "neck.2."
    yield r"^classifier\.", "head."
    yield r"\.ghost1\.", ".body.0."
    yield r"\.conv_dw\.", ".body.1.0."
    yield r"\.bn_dw\.", ".body.1.1."
    yield r"\.se\.conv_reduce\.", ".body.2.excite.0."
    yield r"\.se\.conv_expand\.", ".body.2.excite.2."
    yield r"\.ghost2\.", ".body.3."
    yield r"\.primary_conv\.", ".primary."
    yield r"\.cheap_operation\.", ".cheap."


KEYS: KeyMap = tuple(_keys())


@method(
    "ghostnet_100",
    year=2019,
    paper="arXiv:1911.11907",
    aliases=("ghostnet",),
    topics=("classification", "vision"),
    recipe={
        "optimizer": "sgd",
        "optimizer.momentum": 0.9,
        "optimizer.weight_decay": 4e-5,
        "lr": 0.1,
        "schedule": "lr_cosine",
        "batch_size": 128,
        "epochs": 30,
    },
    tiny={
        "num_classes": 3,
        "in_channels": 1,
        "input_size": (8, 8),
        "width": 1.0,
        "table": (((3, 16, 12, False),), ((3, 24, 16, False),), ((5, 24, 16, True), (3, 24, 16, False))),
        "stem_width": 12,
        "features": 32,
    },
    figures={"parameters": 5_182_508, "multiply_adds": 141_150_512},
    variants={
        "ghostnet_050": {"width": 0.5, "figures": {"parameters": 2_587_292, "multiply_adds": 42_328_152}},
        "ghostnet_130": {"width": 1.3, "figures": {"parameters": 7_358_820, "multiply_adds": 227_003_256}},
    },
)
class GhostNet(AbstractImageNetwork):
    r"""GhostNet: bottlenecks of ghost modules, $y = [m, \Phi(m)]$ with m = φ(W x) of half the channels.

    Φ is a depthwise 3×3 convolution, so that half of what each module gives costs almost nothing. `table`
    has the rows (kernel, channels within, channels out, squeeze and excitation) of each stage's blocks; each
    stage but the first halves the map. All channels are times `width`, and multiples of 4. A 1×1 convolution
    follows, the mean over the map, and an affine layer to `features`, which `width` leaves alone.
    `drop_path` is stochastic depth's last rate.
    Small images (64 pixels and less) keep their size in the stem and the second stage: 32×32 ends as 4×4.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size of image fits.
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {"timm": KEYS}

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        width: float = 1.0,
        table: Sequence[Sequence[Row]] = STAGES,
        stem_width: int = 16,
        features: int = 1280,
        activation: Choice = "relu",
        drop_path: float = 0.0,
        dropout: float = 0.2,
    ):
        def wide(channels: int) -> int:
            return divisible(channels * width, 4)

        small = is_small(input_size)
        stem = conv_norm(in_channels, wide(stem_width), 3, 1 if small else 2, activation=activation)
        rates = iter(drop_rates(sum(map(len, table)), drop_path))
        stages, before = [], wide(stem_width)
        for number, rows in enumerate(table):
            stage = nn.Sequential()
            for place, (kernel, within, channels, excite) in enumerate(rows):
                stride = 2 if place == 0 and number > (1 if small else 0) else 1
                shape = (before, wide(within), wide(channels), kernel, stride, excite)
                stage.append(GhostBottleneck(*shape, activation, next(rates)))
                before = wide(channels)
            stages.append(stage)
        last = wide(table[-1][-1][1])
        neck = nn.Sequential(
            conv_norm(before, last, activation=activation),
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(last, features, 1),
            chosen(activation, features),
            nn.Flatten(),
            nn.Dropout(dropout),
        )
        super().__init__(stem, stages, neck, features, num_classes)
        start_kaiming(self)
