"""ShuffleNet: 1×1 convolutions in groups, and a shuffle of channels through which the groups meet."""

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.attention.placing import Choice as Attention, attention as attended
from ...nn.choosing import Choice, chosen
from ...nn.regularization.stochastic_depth import drop_rates
from ..convolutional.resnet import AbstractResidualBlock
from ..image import AbstractImageNetwork, KeyMap, Size, is_small
from ..layers import conv_norm, mean_pool, pooled_stem, start_kaiming

WIDTHS = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}  # groups: channels of the first stage, all of like cost


def unit_body(
    in_channels: int,
    middle: int,
    channels: int,
    groups: int,
    stride: int = 1,
    first_groups: int | None = None,
    activation: Choice = "relu",
) -> tuple[nn.Module, ...]:
    """1×1 in groups to the middle, shuffle, depthwise 3×3, 1×1 in groups; no activation after the first."""
    return (
        *conv_norm(in_channels, middle, groups=first_groups or groups, activation=activation),
        nn.ChannelShuffle(groups),
        *conv_norm(middle, middle, 3, stride, middle, activation=None),
        *conv_norm(middle, channels, groups=groups, activation=None),
    )


class ShuffleUnit(AbstractResidualBlock):
    """The residual unit: its middle has a quarter of the channels."""

    def __init__(
        self,
        channels: int,
        groups: int,
        activation: Choice = "relu",
        attention: Attention = None,
        drop_path: float = 0.0,
    ):
        body = unit_body(channels, channels // 4, channels, groups, activation=activation)
        words = {"activation": activation, "attention": attention, "drop_path": drop_path}
        super().__init__(body, channels, channels, 1, **words)  # type: ignore[arg-type]


class HalvingUnit(nn.Module):
    """The first unit of a stage: it halves the map, and has its pooled input beside what it makes."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        groups: int,
        first_groups: int,
        activation: Choice = "relu",
        attention: Attention = None,
    ):
        super().__init__()
        new = channels - in_channels
        body = unit_body(in_channels, channels // 4, new, groups, 2, first_groups, activation)
        self.body = nn.Sequential(*body, attended(attention, new))
        self.shortcut = nn.AvgPool2d(3, 2, 1)
        self.activation = chosen(activation, channels)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', ⌈h/2⌉, ⌈w/2⌉)
        return self.activation(torch.cat((self.body(x), self.shortcut(x)), 1))


# pytorchcv's names
KEYS: KeyMap = (
    (r"^features\.init_block\.conv\.", "stem.0."),
    (r"^features\.init_block\.bn\.", "stem.1."),
    *((rf"^features\.stage{n + 1}\.", f"stages.{n}.") for n in range(4)),
    *((rf"\.unit{n + 1}\.", f".{n}.") for n in range(16)),
    (r"\.compress_conv1\.", ".body.0."),
    (r"\.compress_bn1\.", ".body.1."),
    (r"\.dw_conv2\.", ".body.4."),
    (r"\.dw_bn2\.", ".body.5."),
    (r"\.expand_conv3\.", ".body.6."),
    (r"\.expand_bn3\.", ".body.7."),
    (r"^output\.", "head."),
)


@method(
    "shufflenet_v1",
    year=2017,
    paper="arXiv:1707.01083",
    aliases=("shufflenet", "shufflenet_v1_g3"),
    topics=("classification", "vision"),
    recipe={
        "optimizer": "sgd",
        "optimizer.momentum": 0.9,
        "optimizer.weight_decay": 4e-5,
        "lr": 0.02,
        "schedule": "lr_cosine",
        "batch_size": 128,
        "epochs": 30,
    },
    tiny={
        "num_classes": 3,
        "in_channels": 1,
        "input_size": (8, 8),
        "groups": 2,
        "width": 24,
        "layers": (2, 1),
        "stem_width": 8,
    },
    figures={"parameters": 1_865_728, "multiply_adds": 137_460_672},
    variants={
        "shufflenet_v1_g1": {"groups": 1, "figures": {"parameters": 1_531_936, "multiply_adds": 143_078_976}},
        "shufflenet_v1_g2": {"groups": 2, "figures": {"parameters": 1_733_848, "multiply_adds": 140_836_512}},
        "shufflenet_v1_g4": {"groups": 4, "figures": {"parameters": 1_968_344, "multiply_adds": 134_339_776}},
        "shufflenet_v1_g8": {"groups": 8, "figures": {"parameters": 2_434_768, "multiply_adds": 138_365_952}},
    },
)
class ShuffleNet(AbstractImageNetwork):
    r"""ShuffleNet: residual units of 1×1 convolutions in groups, shuffled between, and depthwise 3×3 ones.

    The shuffle puts channel j of group i at place $j g + i$, so that each group of the next convolution
    has channels of all. The first unit of a stage halves the map and has the mean of its input's 3×3
    windows beside what it makes; the first 1×1 of all, after a stem of few channels, is not in groups.
    The more `groups`, the wider the stages for one cost: the first has `width` channels, by default the
    paper's for 1, 2, 3, 4 or 8 groups; each further stage has twice as many, in `layers` units.
    `attention` ends each unit's body; `drop_path` is stochastic depth's last rate, for units that add.
    Small images (64 pixels and less) meet a stem that keeps their size, so that 32×32 ends as 4×4.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size of image fits.
    Errors: `UsageError` for groups without a known width, and for a width that they do not divide.
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {"pytorchcv": KEYS}

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        groups: int = 3,
        width: int | None = None,
        layers: Sequence[int] = (4, 8, 4),
        stem_width: int = 24,
        activation: Choice = "relu",
        attention: Attention = None,
        drop_path: float = 0.0,
    ):
        if width is None and groups not in WIDTHS:
            known = ", ".join(map(str, WIDTHS))
            raise UsageError(f"the paper has a width for {known} groups, not for {groups}: say width=…")
        width = width or WIDTHS[groups]
        if width % (4 * groups) or (width - stem_width) % groups or width <= stem_width:
            raise UsageError(
                f"width={width} must be a multiple of 4 · groups = {4 * groups}, and so much wider than "
                f"stem_width={stem_width} that {groups} groups share the difference"
            )
        stem = pooled_stem(in_channels, stem_width, 3, is_small(input_size), activation)
        stages = _stages(stem_width, width, layers, groups, activation, attention, drop_path)
        super().__init__(stem, stages, mean_pool(), width * 2 ** (len(layers) - 1), num_classes)
        start_kaiming(self)


def _stages(
    in_channels: int,
    width: int,
    layers: Sequence[int],
    groups: int,
    activation: Choice,
    attention: Attention,
    drop_path: float,
) -> Iterator[nn.Sequential]:
    rates = iter(drop_rates(sum(layers) - len(layers), drop_path))
    for number, units in enumerate(layers):
        first = HalvingUnit(in_channels, width, groups, groups if number else 1, activation, attention)
        rest = (ShuffleUnit(width, groups, activation, attention, next(rates)) for _ in range(units - 1))
        yield nn.Sequential(first, *rest)
        in_channels, width = width, 2 * width
