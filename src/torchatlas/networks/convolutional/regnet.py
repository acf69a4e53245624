"""Regular networks: the widths of all blocks follow from one line, which is broken into stages."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import ClassVar

from torch import nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.attention.placing import Choice as Attention
from ...nn.attention.squeeze_excitation import SqueezeExcite
from ...nn.choosing import Choice
from ..image import AbstractImageNetwork, KeyMap, Size, is_small
from ..layers import conv_norm, divisible, mean_pool, start_kaiming
from .resnet import AbstractResidualBlock, residual_stages

STEM = 32  # channels of the stem
MULTIPLE = 8  # widths are so many channels, or several times as many
LONGEST = 32  # blocks of a stage that have names in other libraries' weights


class RegularBlock(AbstractResidualBlock):
    """1×1, 3×3 in groups of `group_width` channels, 1×1, all of one width, around them a shortcut.

    The 3×3 convolution halves the map. After it stands squeeze-and-excitation, if any, whose middle has the
    channels that the block is given divided by `squeeze`, not its own.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int,
        group_width: int,
        squeeze: int = 0,
        activation: Choice = "relu",
        **parts: object,
    ):
        groups = channels // min(group_width, channels)
        gate = SqueezeExcite(channels, max(1, round(in_channels / squeeze))) if squeeze else nn.Identity()
        body = (
            conv_norm(in_channels, channels, 1, activation=activation),
            conv_norm(channels, channels, 3, stride, groups, activation=activation),
            gate,
            conv_norm(channels, channels, 1, activation=None),
        )
        super().__init__(body, in_channels, channels, stride, activation=activation, **parts)  # type: ignore[arg-type]


def block_widths(depth: int, w_0: int, w_a: float, w_m: float) -> list[int]:
    r"""The channels of each block: of $u_j = w_0 + w_a j$ the nearest $w_0 w_m^s$ by its whole power s.

    They are then rounded to multiples of 8. Raises UsageError for a line that falls, and for no line.
    """
    if depth < 1 or w_0 < MULTIPLE or w_0 % MULTIPLE:
        raise UsageError(f"depth={depth} must be 1 or more, and w_0={w_0} a multiple of {MULTIPLE}")
    if w_a < 0 or w_m <= 1:
        raise UsageError(f"w_a={w_a} must be 0 or more, and w_m={w_m} more than 1: widths do not fall")
    powers = [round(math.log((w_0 + w_a * j) / w_0) / math.log(w_m)) for j in range(depth)]
    return [MULTIPLE * round(w_0 * w_m**power / MULTIPLE) for power in powers]


def stage_table(widths: Sequence[int], group_width: int, round_up: bool) -> list[tuple[int, int]]:
    """Blocks and channels of each stage: what has one width is a stage, then made of whole groups."""
    if group_width < 1:
        raise UsageError(f"group_width={group_width} must be 1 or more")
    table = []
    for width, blocks in groupby(widths):
        group = min(group_width, width)
        channels = divisible(width, group) if round_up else group * round(width / group)
        table.append((len(list(blocks)), channels))
    return table


KEYS_TORCHVISION: KeyMap = (
    (r"^trunk_output\.block1\.block1-", "stages.0."),
    (r"^trunk_output\.block2\.block2-", "stages.1."),
    (r"^trunk_output\.block3\.block3-", "stages.2."),
    (r"^trunk_output\.block4\.block4-", "stages.3."),
    (r"\.proj\.", ".shortcut."),
    (r"\.f\.a\.", ".body.0."),
    (r"\.f\.b\.", ".body.1."),
    (r"\.f\.se\.fc1\.", ".body.2.excite.0."),
    (r"\.f\.se\.fc2\.", ".body.2.excite.2."),
    (r"\.f\.c\.", ".body.3."),
    (r"^fc\.", "head."),
)
KEYS_TIMM: KeyMap = (
    (r"^s1\.", "stages.0."),
    (r"^s2\.", "stages.1."),
    (r"^s3\.", "stages.2."),
    (r"^s4\.", "stages.3."),
    *((rf"\.b{k}\.", f".{k - 1}.") for k in range(1, LONGEST + 1)),
    (r"\.downsample\.", ".shortcut."),
    (r"\.conv1\.", ".body.0."),
    (r"\.conv2\.", ".body.1."),
    (r"\.se\.fc1\.", ".body.2.excite.0."),
    (r"\.se\.fc2\.", ".body.2.excite.2."),
    (r"\.conv3\.", ".body.3."),
    (r"\.conv\.", ".0."),
    (r"\.bn\.", ".1."),
    (r"^head\.fc\.", "head."),
)


@method(
    "regnetx_004",
    year=2020,
    paper="arXiv:2003.13678",
    aliases=("regnet",),
    topics=("classification", "vision"),
    recipe={
        "optimizer": "sgd",
        "optimizer.momentum": 0.9,
        "optimizer.nesterov": True,
        "optimizer.weight_decay": 5e-5,
        "lr": 0.02,
        "schedule": "lr_cosine",
        "batch_size": 128,
        "epochs": 30,
    },
    tiny={
        "num_classes": 3,
        "in_channels": 1,
        "input_size": (12, 12),
        "depth": 2,
        "w_0": 8,
        "w_a": 8,
        "w_m": 2,
        "group_width": 4,
    },
    figures={"parameters": 5_157_512, "multiply_adds": 397_677_568},
    variants={
        "regnetx_004_tv": {
            "aliases": ("regnet_x_400mf",),
            "round_up": True,
            "figures": {"parameters": 5_495_976, "multiply_adds": 413_812_608},
        },
        "regnetx_008": {
            "aliases": ("regnet_x_800mf",),
            "depth": 16,
            "w_0": 56,
            "w_a": 35.73,
            "w_m": 2.28,
            "figures": {"parameters": 7_259_656, "multiply_adds": 799_699_712},
        },
        "regnetx_016": {
            "aliases": ("regnet_x_1_6gf",),
            "depth": 18,
            "w_0": 80,
            "w_a": 34.01,
            "w_m": 2.25,
            "group_width": 24,
            "figures": {"parameters": 9_190_136, "multiply_adds": 1_602_849_792},
        },
        "regnetx_032": {
            "aliases": ("regnet_x_3_2gf",),
            "depth": 25,
            "w_0": 88,
            "w_a": 26.31,
            "w_m": 2.25,
            "group_width": 48,
            "figures": {"parameters": 15_296_552, "multiply_adds": 3_176_621_952},
        },
        "regnety_004": {
            "aliases": ("regnet_y_400mf",),
            "depth": 16,
            "w_0": 48,
            "w_a": 27.89,
            "w_m": 2.09,
            "group_width": 8,
            "squeeze": 4,
            "figures": {"parameters": 4_344_144, "multiply_adds": 401_842_848},
        },
        "regnety_008": {
            "depth": 14,
            "w_0": 56,
            "w_a": 38.84,
            "w_m": 2.4,
            "squeeze": 4,
            "figures": {"parameters": 6_263_168, "multiply_adds": 797_176_832},
        },
        "regnety_008_tv": {
            "aliases": ("regnet_y_800mf",),
            "depth": 14,
            "w_0": 56,
            "w_a": 38.84,
            "w_m": 2.4,
            "squeeze": 4,
            "round_up": True,
            "figures": {"parameters": 6_432_512, "multiply_adds": 833_856_256},
        },
        "regnety_016": {
            "aliases": ("regnet_y_1_6gf",),
            "depth": 27,
            "w_0": 48,
            "w_a": 20.71,
            "w_m": 2.65,
            "group_width": 24,
            "squeeze": 4,
            "figures": {"parameters": 11_202_430, "multiply_adds": 1_612_076_160},
        },
        "regnety_032": {
            "aliases": ("regnet_y_3_2gf",),
            "depth": 21,
            "w_0": 80,
            "w_a": 42.63,
            "w_m": 2.66,
            "group_width": 24,
            "squeeze": 4,
            "figures": {"parameters": 19_436_338, "multiply_adds": 3_176_482_752},
        },
    },
)
class RegNet(AbstractImageNetwork):
    r"""RegNet: residual blocks of group convolutions whose widths lie near a line, $u_j = w_0 + w_a j$.

    Each of the `depth` blocks takes the width $w_0 w_m^{s}$ with the whole s that brings it nearest to its
    $u_j$, as a multiple of 8; blocks of one width are a stage, and each stage halves the map. So six
    numbers are a network: four for the widths, the `group_width` of the 3×3 convolutions, and `squeeze`,
    which divides the channels that a block is given for its squeeze-and-excitation (4 makes a RegNetY; 0:
    none, RegNetX). Bottlenecks are as wide within as without. Widths become the nearest multiple of the
    group's; with `round_up` one that would lose more than a tenth becomes the next, as in torchvision
    (`regnetx_004_tv`, `regnety_008_tv`). `attention` ends each block's body, `drop_path` is stochastic
    depth's last rate, and `dropout` stands before the head.
    Small images (64 pixels and less) keep their size in the stem and the first stage.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size of image fits.
    Errors: `UsageError` for no blocks, a $w_0$ that is no multiple of 8, falling widths, empty groups,
    and a negative `squeeze`.
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {"torchvision": KEYS_TORCHVISION, "timm": KEYS_TIMM}

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        depth: int = 22,
        w_0: int = 24,
        w_a: float = 24.48,
        w_m: float = 2.54,
        group_width: int = 16,
        squeeze: int = 0,
        round_up: bool = False,
        activation: Choice = "relu",
        attention: Attention = None,
        drop_path: float = 0.0,
        dropout: float = 0.0,
    ):
        if squeeze < 0:
            raise UsageError(
                f"squeeze={squeeze} must be 0 (none) or more: 4 leaves a quarter of the channels"
            )
        table = stage_table(block_widths(depth, w_0, w_a, w_m), group_width, round_up)
        small = is_small(input_size)
        stem = conv_norm(in_channels, STEM, 3, 1 if small else 2, activation=activation)
        block = partial(
            RegularBlock,
            group_width=group_width,
            squeeze=squeeze,
            activation=activation,
            attention=attention,
        )
        before = [] if small else [(0, STEM)]  # the stem as a stage of no block: the next one halves the map
        stages = residual_stages(block, STEM, [*before, *table], drop_path)
        neck = nn.Sequential(*mean_pool(), nn.Dropout(dropout))
        filled = (stage for stage in stages if len(stage))
        super().__init__(stem, filled, neck, table[-1][1], num_classes)
        start_kaiming(self)
