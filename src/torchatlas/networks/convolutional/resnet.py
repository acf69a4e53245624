"""Residual networks: each block adds what it learns to what it was given."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.attention.placing import Choice as Attention, attention as attended
from ...nn.choosing import Choice
from ...nn.regularization.stochastic_depth import StochasticDepth, drop_rates
from ..image import AbstractImageNetwork, KeyMap, Size, is_small
from ..layers import activated, conv_norm, mean_pool, pooled_stem, start_kaiming

Shortcut = Callable[[int, int, int], nn.Module]  # (channels in, channels out, stride)


def projection_shortcut(in_channels: int, channels: int, stride: int) -> nn.Module:
    """The paper's option B: a normalised 1×1 convolution."""
    return conv_norm(in_channels, channels, 1, stride, activation=None)


class AbstractResidualBlock(nn.Module):
    """A body, attention if any, and the shortcut around them: φ(F(x) + shortcut(x)).

    The shortcut is the identity where neither the channels nor the size of the map change. `drop_path` is
    the rate at which training leaves the body out.
    """

    def __init__(
        self,
        body: Sequence[nn.Module],
        in_channels: int,
        channels: int,
        stride: int,
        shortcut: Shortcut = projection_shortcut,
        activation: Choice = "relu",
        attention: Attention = None,
        drop_path: float = 0.0,
    ):
        super().__init__()
        ends = (attended(attention, channels), *([StochasticDepth(drop_path)] if drop_path else []))
        self.body = nn.Sequential(*body, *ends)
        same = stride == 1 and in_channels == channels
        self.shortcut = nn.Identity() if same else shortcut(in_channels, channels, stride)
        self.activation = activated(activation, channels)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', ⌈h/stride⌉, ⌈w/stride⌉)
        return self.activation(self.body(x) + self.shortcut(x))


class BasicBlock(AbstractResidualBlock):
    """Two 3×3 convolutions; `parts` are those of every residual block."""

    def __init__(
        self, in_channels: int, channels: int, stride: int, activation: Choice = "relu", **parts: object
    ):
        body = (
            *conv_norm(in_channels, channels, 3, stride, activation=activation),
            *conv_norm(channels, channels, 3, activation=None),
        )
        super().__init__(body, in_channels, channels, stride, activation=activation, **parts)  # type: ignore[arg-type]


class Bottleneck(AbstractResidualBlock):
    """1×1 to fewer channels, 3×3 in `groups`, 1×1 back to four times `channels / 4`.

    The middle has `channels / 4 · base_width / 64` channels in each group. The stride stands at the 3×3
    convolution, or at the first 1×1 (`stride_first`).
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int,
        groups: int = 1,
        base_width: int = 64,
        stride_first: bool = False,
        activation: Choice = "relu",
        **parts: object,
    ):
        middle = channels // 4 * base_width // 64 * groups
        first, second = (stride, 1) if stride_first else (1, stride)
        body = (
            *conv_norm(in_channels, middle, 1, first, activation=activation),
            *conv_norm(middle, middle, 3, second, groups, activation=activation),
            *conv_norm(middle, channels, 1, activation=None),
        )
        super().__init__(body, in_channels, channels, stride, activation=activation, **parts)  # type: ignore[arg-type]


def residual_stages(
    block: Callable[..., nn.Module],
    width: int,
    table: Sequence[tuple[int, int]],
    drop_path: float = 0.0,
) -> Iterator[nn.Sequential]:
    """Stages of blocks after `width` channels: (blocks, channels) of each; each but the first halves the map.

    The rates at which blocks are left out rise from block to block, to `drop_path`.
    """
    rates = iter(drop_rates(sum(blocks for blocks, _ in table), drop_path))
    for number, (blocks, channels) in enumerate(table):
        made = nn.Sequential()
        for k in range(blocks):
            stride = 2 if number and k == 0 else 1
            made.append(block(width, channels, stride, drop_path=next(rates)))
            width = channels
        yield made


# torchvision's and timm's names; a bottleneck's third convolution stands at 6, a basic block has none.
KEYS: KeyMap = (
    (r"^conv1\.", "stem.0."),
    (r"^bn1\.", "stem.1."),
    (r"^layer1\.", "stages.0."),
    (r"^layer2\.", "stages.1."),
    (r"^layer3\.", "stages.2."),
    (r"^layer4\.", "stages.3."),
    (r"\.conv1\.", ".body.0."),
    (r"\.bn1\.", ".body.1."),
    (r"\.conv2\.", ".body.3."),
    (r"\.bn2\.", ".body.4."),
    (r"\.conv3\.", ".body.6."),
    (r"\.bn3\.", ".body.7."),
    (r"\.downsample\.", ".shortcut."),
    (r"^fc\.", "head."),
)


@method(
    "resnet18",
    year=2015,
    paper="arXiv:1512.03385",
    topics=("classification", "vision"),
    recipe={
        "optimizer": "sgd",
        "optimizer.momentum": 0.9,
        "optimizer.weight_decay": 1e-4,
        "lr": 0.1,
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
    },
    figures={"parameters": 11_689_512, "multiply_adds": 1_814_073_344},
    variants={
        "resnet34": {
            "layers": (3, 4, 6, 3),
            "figures": {"parameters": 21_797_672, "multiply_adds": 3_663_761_408},
        },
        "resnet50": {
            "layers": (3, 4, 6, 3),
            "block": "bottleneck",
            "figures": {"parameters": 25_557_032, "multiply_adds": 4_089_184_256},
        },
        "resnet50_v1": {
            "layers": (3, 4, 6, 3),
            "block": "bottleneck",
            "stride_first": True,
            "figures": {"parameters": 25_557_032, "multiply_adds": 3_857_973_248},
        },
        "resnet101": {
            "layers": (3, 4, 23, 3),
            "block": "bottleneck",
            "figures": {"parameters": 44_549_160, "multiply_adds": 7_801_405_440},
        },
        "resnet152": {
            "layers": (3, 8, 36, 3),
            "block": "bottleneck",
            "figures": {"parameters": 60_192_808, "multiply_adds": 11_513_626_624},
        },
        "resnext50_32x4d": {
            "layers": (3, 4, 6, 3),
            "block": "bottleneck",
            "groups": 32,
            "base_width": 4,
            "year": 2016,
            "paper": "arXiv:1611.05431",
            "tiny": {
                "num_classes": 3,
                "in_channels": 1,
                "input_size": (12, 12),
                "layers": (1, 1),
                "width": 8,
                "groups": 2,
                "base_width": 32,
            },
            "figures": {"parameters": 25_028_904, "multiply_adds": 4_230_479_872},
        },
        "resnext101_32x8d": {
            "layers": (3, 4, 23, 3),
            "block": "bottleneck",
            "groups": 32,
            "base_width": 8,
            "year": 2016,
            "paper": "arXiv:1611.05431",
            "tiny": {
                "num_classes": 3,
                "in_channels": 1,
                "input_size": (12, 12),
                "layers": (1, 1),
                "width": 8,
                "groups": 2,
                "base_width": 32,
            },
            "figures": {"parameters": 88_791_336, "multiply_adds": 16_414_015_488},
        },
        "wide_resnet50_2": {
            "layers": (3, 4, 6, 3),
            "block": "bottleneck",
            "base_width": 128,
            "year": 2016,
            "paper": "arXiv:1605.07146",
            "figures": {"parameters": 68_883_240, "multiply_adds": 11_398_021_120},
        },
    },
)
class ResNet(AbstractImageNetwork):
    r"""ResNet: a 7×7 stem and stages of residual blocks, $x_{l+1} = \phi(x_l + F(x_l))$.

    `layers` tells the blocks of each stage, whose width doubles from `width`; a `block` is "basic" (two 3×3
    convolutions) or "bottleneck" (1×1, 3×3, 1×1, four times as many channels out). Shortcuts that change the
    map are the paper's option B. Bottlenecks halve the map in their 3×3 convolution, as trained weights of
    today want it; in the paper the first 1×1 does (`stride_first`, `resnet50_v1`), for 3.8 billion
    multiply-adds in place of 4.1. ResNeXt's bottlenecks have `groups` of `base_width` channels, and a Wide
    ResNet's twice the middle (`base_width=128`). `attention`, such as "se", ends each block's body;
    `drop_path` is stochastic depth's last rate.
    Small images (64 pixels and less) meet a 3×3 stem without pooling, so that 32×32 ends as 4×4.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size of image fits.
    Errors: `UsageError` for another block, and for groups in basic blocks.
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {"torchvision": KEYS, "timm": KEYS}

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        layers: Sequence[int] = (2, 2, 2, 2),
        block: str = "basic",
        width: int = 64,
        groups: int = 1,
        base_width: int = 64,
        stride_first: bool = False,
        activation: Choice = "relu",
        attention: Attention = None,
        drop_path: float = 0.0,
    ):
        if block not in ("basic", "bottleneck"):
            raise UsageError(f"a block is basic or bottleneck, not {block!r}")
        words: dict[str, Any] = {"groups": groups, "base_width": base_width, "stride_first": stride_first}
        if block == "basic" and (groups, base_width, stride_first) != (1, 64, False):
            raise UsageError("groups, base_width and stride_first are a bottleneck's: say block=bottleneck")
        kind = BasicBlock if block == "basic" else partial(Bottleneck, **words)
        expansion = 1 if block == "basic" else 4
        table = [(blocks, expansion * width * 2**k) for k, blocks in enumerate(layers)]
        stem = pooled_stem(in_channels, width, 7, is_small(input_size), activation)
        make = partial(kind, activation=activation, attention=attention)
        stages = residual_stages(make, width, table, drop_path)
        super().__init__(stem, stages, mean_pool(), table[-1][1], num_classes)
        start_kaiming(self, fan="in")
