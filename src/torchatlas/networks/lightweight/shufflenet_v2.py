"""ShuffleNet V2: half of the channels pass through each unit untouched."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.attention.placing import Choice as Attention, attention as attended
from ...nn.choosing import Choice
from ..image import AbstractImageNetwork, KeyMap, Size, is_small
from ..layers import conv_norm, mean_pool, pooled_stem, start_kaiming


class SplitUnit(nn.Module):
    """Two branches of half the channels each, side by side, then shuffled.

    The left one is the first half of what came in, the right one 1×1, depthwise 3×3 and 1×1 of the second
    half. With `halve` both see all of it and halve the map, the left one by a depthwise 3×3 and a 1×1.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        halve: bool = False,
        activation: Choice = "relu",
        attention: Attention = None,
    ):
        super().__init__()
        half, stride = channels // 2, 2 if halve else 1
        seen = in_channels if halve else half
        self.left = nn.Sequential()
        if halve:
            self.left.extend(conv_norm(seen, seen, 3, 2, seen, activation=None))
            self.left.extend(conv_norm(seen, half, activation=activation))
        self.right = nn.Sequential(
            *conv_norm(seen, half, activation=activation),
            *conv_norm(half, half, 3, stride, half, activation=None),
            *conv_norm(half, half, activation=activation),
            attended(attention, half),
        )
        self.shuffle = nn.ChannelShuffle(2)
        self.halve = halve

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', ⌈h/2⌉, ⌈w/2⌉), or its own shape
        left, right = (x, x) if self.halve else x.chunk(2, 1)
        together = torch.cat((self.left(left), self.right(right)), 1)
        shuffled: Tensor = self.shuffle(together)
        return shuffled


# torchvision's names
KEYS: KeyMap = (
    (r"^conv1\.", "stem."),
    (r"^stage2\.", "stages.0."),
    (r"^stage3\.", "stages.1."),
    (r"^stage4\.", "stages.2."),
    (r"\.branch1\.", ".left."),
    (r"\.branch2\.", ".right."),
    (r"^conv5\.", "neck."),
    (r"^fc\.", "head."),
)


@method(
    "shufflenet_v2_x1_0",
    year=2018,
    paper="arXiv:1807.11164",
    aliases=("shufflenet_v2",),
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
        "widths": (16, 24),
        "layers": (2, 1),
        "stem_width": 8,
        "features": 16,
    },
    figures={"parameters": 2_278_604, "multiply_adds": 144_907_992},
    variants={
        "shufflenet_v2_x0_5": {
            "widths": (48, 96, 192),
            "figures": {"parameters": 1_366_792, "multiply_adds": 40_476_448},
        },
        "shufflenet_v2_x1_5": {
            "widths": (176, 352, 704),
            "figures": {"parameters": 3_503_624, "multiply_adds": 295_759_392},
        },
        "shufflenet_v2_x2_0": {
            "widths": (244, 488, 976),
            "features": 2048,
            "figures": {"parameters": 7_393_996, "multiply_adds": 583_253_464},
        },
    },
)
class ShuffleNetV2(AbstractImageNetwork):
    r"""ShuffleNet V2: units that pass half of the channels on, work on the other half, and shuffle the two.

    It follows what costs time on real devices: no 1×1 convolutions in groups, equal channels in and out, few
    branches, and no sums. The first unit of a stage sees all channels in both branches and halves the map.
    `widths` are the channels of the stages, of `layers` units each; a 1×1 convolution leads to `features`
    before the mean over the map. `attention` ends the right branch of each unit.
    Small images (64 pixels and less) meet a stem that keeps their size, so that 32×32 ends as 4×4.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size of image fits.
    Errors: `UsageError` for an odd width, and for other than one width per stage.
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {"torchvision": KEYS}

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        widths: Sequence[int] = (116, 232, 464),
        layers: Sequence[int] = (4, 8, 4),
        stem_width: int = 24,
        features: int = 1024,
        activation: Choice = "relu",
        attention: Attention = None,
    ):
        if len(widths) != len(layers):
            raise UsageError(f"layers={tuple(layers)} and widths={tuple(widths)} must both name every stage")
        if any(width % 2 for width in widths):
            raise UsageError(f"widths={tuple(widths)} must be even, for a unit has two halves")
        stem = pooled_stem(in_channels, stem_width, 3, is_small(input_size), activation)
        stages = []
        for (before, width), units in zip(pairwise((stem_width, *widths)), layers, strict=True):
            first = SplitUnit(before, width, True, activation, attention)
            rest = (SplitUnit(width, width, False, activation, attention) for _ in range(units - 1))
            stages.append(nn.Sequential(first, *rest))
        last = conv_norm(widths[-1], features, activation=activation)
        super().__init__(stem, stages, nn.Sequential(*last, *mean_pool()), features, num_classes)
        start_kaiming(self)
