"""Split attention: the branches of a block's 3×3 convolution are mixed channel by channel."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar

from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.attention.gate import between, divided, mean_of_map
from ...nn.attention.placing import Choice as Attention
from ...nn.choosing import Choice
from ..image import AbstractImageNetwork, KeyMap, Size, is_small
from ..layers import activated, conv_norm, mean_pool, start_kaiming
from .resnet import KEYS, AbstractResidualBlock, residual_stages
from .resnet_d import STEM_KEYS, deep_stem, mean_shortcut

LEAST = 32  # channels between the two layers that score the splits, at least


class SplitAttention(nn.Module):
    r"""Split attention: $\sum_i a_i · U_i$ over `radix` maps U of one 3×3 convolution in groups.

    The means of $\sum_i U_i$ go through a 1×1 convolution to `radix` / 4 of the channels (32 at least), batch
    normalisation and an activation, and another to a score for each map and channel; softmax over the maps
    gives a, a sigmoid where there is one. All this happens in each of `groups` cardinal groups apart.
    Shapes: (batch, channels, height, width) -> the same. Raises UsageError where groups do not come out even.
    """

    def __init__(self, channels: int, radix: int = 2, groups: int = 1, activation: Choice = "relu"):
        super().__init__()
        self.radix, self.groups = radix, groups
        hidden = between(channels * radix, 4, LEAST)
        divided(channels, groups * radix)
        divided(hidden, groups)
        self.conv = conv_norm(channels, channels * radix, 3, groups=groups * radix, activation=activation)
        self.score = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, groups=groups),
            nn.BatchNorm2d(hidden),
            activated(activation, hidden),
            nn.Conv2d(hidden, channels * radix, 1, groups=groups),
        )

    def shares(self, maps: Tensor) -> Tensor:  # (b, r, c, h, w) -> (b, r, c, 1, 1)
        """How much each map counts in each channel; over several maps they sum to 1."""
        scores: Tensor = self.score(mean_of_map(maps.sum(1)))  # (b, k · r · c/k, 1, 1)
        scores = scores.unflatten(1, (self.groups, self.radix, -1)).transpose(1, 2).flatten(2, 3)
        return scores.softmax(1) if self.radix > 1 else scores.sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        maps = self.conv(x).unflatten(1, (self.radix, -1))  # (b, r, c, h, w)
        return (maps * self.shares(maps)).sum(1)


class SplitBlock(AbstractResidualBlock):
    """A bottleneck whose 3×3 convolution is split attention; a 3×3 mean halves the map.

    The mean stands after split attention, or before it (`pool_first`), for fewer multiply-adds. The middle
    has `channels / 4 · base_width / 64` channels in each group.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int,
        radix: int = 2,
        groups: int = 1,
        base_width: int = 64,
        pool_first: bool = False,
        activation: Choice = "relu",
        **parts: object,
    ):
        middle = channels // 4 * base_width // 64 * groups
        mean = nn.AvgPool2d(3, stride, 1) if stride > 1 else nn.Identity()
        before, after = (mean, nn.Identity()) if pool_first else (nn.Identity(), mean)
        body = (
            *conv_norm(in_channels, middle, 1, activation=activation),
            before,
            SplitAttention(middle, radix, groups, activation),
            after,
            *conv_norm(middle, channels, 1, activation=None),
        )
        super().__init__(body, in_channels, channels, stride, mean_shortcut, activation, **parts)  # type: ignore[arg-type]


KEYS_TIMM: KeyMap = (
    *STEM_KEYS,
    (r"\.conv2\.conv\.", ".body.4.conv.0."),
    (r"\.conv2\.bn0\.", ".body.4.conv.1."),
    (r"\.conv2\.fc1\.", ".body.4.score.0."),
    (r"\.conv2\.bn1\.", ".body.4.score.1."),
    (r"\.conv2\.fc2\.", ".body.4.score.3."),
    *KEYS,
)


@method(
    "resnest50d",
    year=2020,
    paper="arXiv:2004.08955",
    aliases=("resnest", "resnest50"),
    topics=("classification", "vision"),
    recipe={
        "optimizer": "sgd",
        "optimizer.momentum": 0.9,
        "optimizer.nesterov": True,
        "optimizer.weight_decay": 1e-4,
        "lr": 0.02,
        "schedule": "lr_cosine",
        "batch_size": 128,
        "epochs": 30,
    },
    tiny={
        "num_classes": 3,
        "in_channels": 1,
        "input_size": (12, 12),
        "layers": (1, 1),
        "width": 8,
        "stem_width": 8,
    },
    figures={"parameters": 27_483_240, "multiply_adds": 5_371_160_576},
    variants={
        "resnest50d_fast": {
            "pool_first": True,
            "figures": {"parameters": 27_483_240, "multiply_adds": 4_330_711_040},
        },
        "resnest50d_1s4x24d": {
            "radix": 1,
            "groups": 4,
            "base_width": 24,
            "pool_first": True,
            "tiny": {
                "num_classes": 3,
                "in_channels": 1,
                "input_size": (12, 12),
                "layers": (1, 1),
                "width": 8,
                "stem_width": 8,
                "groups": 2,
                "base_width": 32,
            },
            "figures": {"parameters": 25_677_000, "multiply_adds": 4_399_827_456},
        },
        "resnest50d_4s2x40d": {
            "radix": 4,
            "groups": 2,
            "base_width": 40,
            "pool_first": True,
            "tiny": {
                "num_classes": 3,
                "in_channels": 1,
                "input_size": (12, 12),
                "layers": (1, 1),
                "width": 8,
                "stem_width": 8,
                "groups": 2,
                "base_width": 32,
            },
            "figures": {"parameters": 30_417_592, "multiply_adds": 4_369_060_736},
        },
        "resnest101e": {
            "aliases": ("resnest101",),
            "layers": (3, 4, 23, 3),
            "stem_width": 128,
            "figures": {
                "parameters": 48_275_016,
                "multiply_adds": 13_321_472_000,
                "at": {"input_size": (256, 256)},
            },
        },
        "resnest200e": {
            "aliases": ("resnest200",),
            "layers": (3, 24, 36, 3),
            "stem_width": 128,
            "figures": {
                "parameters": 70_201_544,
                "multiply_adds": 35_519_694_848,
                "at": {"input_size": (320, 320)},
            },
        },
        "resnest269e": {
            "aliases": ("resnest269",),
            "layers": (3, 30, 48, 8),
            "stem_width": 128,
            "figures": {
                "parameters": 110_929_480,
                "multiply_adds": 77_348_702_208,
                "at": {"input_size": (416, 416)},
            },
        },
    },
)
class ResNeSt(AbstractImageNetwork):
    r"""ResNeSt: ResNet-D's bottlenecks with split attention, a mix of `radix` maps of each 3×3.

    $\sum_i a_i · U_i$, the shares a from the means of $\sum_i U_i$ (`SplitAttention`), within each of
    `groups` groups of `base_width` channels. `layers` tells the blocks of each stage, whose inner width
    doubles from `width`; the stem of three convolutions ends with `stem_width` channels. A 3×3 mean, rather
    than a stride, halves the map behind split attention, or before it (`pool_first`, `resnest50d_fast`).
    Variants with s, x and d are radix, groups and base width. `attention` ends each block's body, `drop_path`
    is stochastic depth's last rate, and `dropout` stands before the head. A batch of one image
    cannot train: its means have no variance.
    Small images (64 pixels and less) meet a stem that halves nothing, so that 32×32 ends as 4×4.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size of image fits.
    Errors: `UsageError` for an odd `stem_width`, no maps or groups, and groups that do not come out even.
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {"timm": KEYS_TIMM}

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        layers: Sequence[int] = (3, 4, 6, 3),
        width: int = 64,
        stem_width: int = 64,
        radix: int = 2,
        groups: int = 1,
        base_width: int = 64,
        pool_first: bool = False,
        activation: Choice = "relu",
        attention: Attention = None,
        drop_path: float = 0.0,
        dropout: float = 0.0,
    ):
        if radix < 1 or groups < 1 or stem_width % 2:
            said = f"radix={radix} and groups={groups} must be 1 or more, and stem_width={stem_width} even"
            raise UsageError(said)
        block = partial(
            SplitBlock,
            radix=radix,
            groups=groups,
            base_width=base_width,
            pool_first=pool_first,
            activation=activation,
            attention=attention,
        )
        table = [(blocks, 4 * width * 2**k) for k, blocks in enumerate(layers)]
        stem = deep_stem(in_channels, stem_width, is_small(input_size), activation)
        stages = residual_stages(block, stem_width, table, drop_path)
        neck = nn.Sequential(*mean_pool(), nn.Dropout(dropout))
        super().__init__(stem, stages, neck, table[-1][1], num_classes)
        start_kaiming(self)
