"""Interleaved group convolutions: sparse convolutions in a row whose product is dense."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from torch import nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.attention.placing import Choice as Attention
from ...nn.choosing import Choice, chosen
from ...nn.regularization.stochastic_depth import drop_rates
from ..convolutional.resnet import AbstractResidualBlock, residual_stages
from ..image import AbstractImageNetwork, Size, is_small
from ..layers import blocks_of, conv_norm, mean_pool, pooled_stem, start_kaiming


def grouped(in_channels: int, channels: int, kernel: int, stride: int, groups: int) -> nn.Conv2d:
    """A convolution in groups, without bias."""
    return nn.Conv2d(in_channels, channels, kernel, stride, kernel // 2, groups=groups, bias=False)


class InterleavedConv2d(nn.Sequential):
    """Two group convolutions: 3×3 in `primary` groups, then 1×1 in `secondary` ones that lie across them.

    Between them the channels are turned, so that each secondary group takes as many of every primary group;
    after them they are turned back.
    """

    def __init__(self, in_channels: int, channels: int, stride: int, primary: int, secondary: int):
        if in_channels % primary or channels % primary or channels % secondary:
            raise UsageError(
                f"{primary} primary and {secondary} secondary groups must divide {channels} channels, the "
                f"primary ones {in_channels} too: say widths that are multiples"
            )
        super().__init__(
            grouped(in_channels, channels, 3, stride, primary),
            nn.ChannelShuffle(primary),
            grouped(channels, channels, 1, 1, secondary),
            nn.ChannelShuffle(secondary),
        )


def sparse_pointwise(channels: int, size: int) -> list[nn.Module]:
    """Shuffled 1×1 convolutions in groups of `size` channels: so many that their product is dense."""
    if size < 2 or channels % size:
        raise UsageError(f"groups of {size} do not divide {channels} channels: say size and width that fit")
    layers: list[nn.Module] = []
    reach = 1
    while reach < channels:
        layers.append(nn.ChannelShuffle(channels // size))
        layers.append(grouped(channels, channels, 1, 1, channels // size))
        reach *= size
    return layers


class SparseConv2d(nn.Sequential):
    """A 3×3 convolution of each channel by itself, then shuffled 1×1 convolutions in groups of `size`."""

    def __init__(self, in_channels: int, channels: int, stride: int, size: int):
        depthwise = grouped(in_channels, channels, 3, stride, in_channels)
        super().__init__(depthwise, *sparse_pointwise(channels, size))


class ResidualBlock(AbstractResidualBlock):
    """Two convolutions of a kind, each normalised; the first begins with the block's stride."""

    def __init__(
        self,
        convolutions: Sequence[nn.Module],
        in_channels: int,
        channels: int,
        stride: int,
        activation: Choice = "relu",
        **parts: object,
    ):
        first, second = convolutions
        middle = (nn.BatchNorm2d(channels), chosen(activation, channels))
        body = (first, *middle, second, nn.BatchNorm2d(channels))
        super().__init__(body, in_channels, channels, stride, activation=activation, **parts)  # type: ignore[arg-type]


def projection(in_channels: int, channels: int, stride: int, groups: int) -> nn.Module:
    """A shortcut in groups: a normalised 1×1 convolution."""
    return conv_norm(in_channels, channels, 1, stride, groups, activation=None)


Table = Sequence[tuple[int, int, int, int]]


def interleaved_stages(
    block: Callable[..., nn.Module], width: int, table: Table, drop_path: float
) -> Iterator[nn.Sequential]:
    """Stages after `width` channels: (blocks, channels, primary groups, secondary groups to begin with)."""
    rates = iter(drop_rates(sum(blocks for blocks, *_ in table), drop_path))
    for number, (blocks, channels, primary, secondary) in enumerate(table):
        stage = nn.Sequential()
        for k in range(blocks):
            stride, others = (2 if number and k == 0 else 1), channels // primary
            convolutions = (
                InterleavedConv2d(width, channels, stride, primary, others if k else secondary),
                InterleavedConv2d(channels, channels, 1, primary, others),
            )
            shortcut = partial(projection, groups=primary)
            stage.append(
                block(convolutions, width, channels, stride, shortcut=shortcut, drop_path=next(rates))
            )
            width = channels
        yield stage


@method(
    "igcv1",
    year=2017,
    paper="arXiv:1707.02725",
    aliases=("igcnet",),
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
        "width": 8,
        "table": ((1, 8, 4, 2), (1, 16, 4, 2)),
    },
    figures={"parameters": 8_637_900, "multiply_adds": 1_264_780_800},
    variants={
        "igcv1_l24m2_20": {
            "num_classes": 10,
            "input_size": (32, 32),
            "width": 48,
            "table": ((3, 48, 24, 2), (3, 96, 24, 2), (3, 192, 24, 4)),
            "figures": {"parameters": 164_410, "multiply_adds": 29_738_880},
        },
        "igcv1_l24m2_38": {
            "num_classes": 10,
            "input_size": (32, 32),
            "width": 48,
            "table": ((6, 48, 24, 2), (6, 96, 24, 2), (6, 192, 24, 4)),
            "figures": {"parameters": 325_690, "multiply_adds": 58_050_432},
        },
        "igcv1_l24m2_62": {
            "num_classes": 10,
            "input_size": (32, 32),
            "width": 48,
            "table": ((10, 48, 24, 2), (10, 96, 24, 2), (10, 192, 24, 4)),
            "figures": {"parameters": 540_730, "multiply_adds": 95_799_168},
        },
    },
)
class IGCV1(AbstractImageNetwork):
    r"""IGCV1: a residual network of interleaved group convolutions, 3×3 in L groups and 1×1 in M across them.

    $y = P^T W^d P W^p x$: $W^p$ has L groups of M channels, P lays the channels out as M groups of L, one
    from each, and $W^d$ mixes these; neither normalisation nor activation stands between. A convolution of G
    = L·M channels has $G^2 (9 / L + 1 / M)$ weights, and each output sees each input.
    `table` tells of each stage its blocks, channels, primary groups, and the secondary groups of the
    convolution that it begins with; others have channels / primary groups. A stage after the first halves
    the map. `width` is the stem's. Here stands IGC-L100M2 of ImageNet, with 1×1 shortcuts in L groups; the
    variants are the authors' nets for CIFAR, whose L stays at 24.
    `attention` ends each block's body; `drop_path` is stochastic depth's last rate. Small images (64 pixels
    and less) meet a 3×3 stem without pooling, so that 32×32 ends as 4×4 after four stages.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size of image fits.
    Errors: `UsageError` for groups that do not divide the channels.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        width: int = 100,
        table: Table = (
            (2, 200, 100, 2),
            (2, 400, 200, 2),
            (2, 800, 400, 2),
            (2, 1600, 800, 2),
        ),
        activation: Choice = "relu",
        attention: Attention = None,
        drop_path: float = 0.0,
    ):
        stem = pooled_stem(in_channels, width, 7, is_small(input_size), activation)
        block = partial(ResidualBlock, activation=activation, attention=attention)
        stages = interleaved_stages(block, width, table, drop_path)
        super().__init__(stem, stages, mean_pool(), table[-1][1], num_classes)
        start_kaiming(self, fan="in")


def sparse_block(
    in_channels: int, channels: int, stride: int, size: int, activation: Choice, **parts: object
) -> ResidualBlock:
    """A residual block of `SparseConv2d`s."""
    convolutions = (
        SparseConv2d(in_channels, channels, stride, size),
        SparseConv2d(channels, channels, 1, size),
    )
    return ResidualBlock(convolutions, in_channels, channels, stride, activation, **parts)


@method(
    "igcv2",
    year=2018,
    paper="arXiv:1804.06202",
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
        "depth": 8,
        "width": 4,
        "size": 2,
    },
    figures={"parameters": 137_162, "multiply_adds": 25_528_832},
)
class IGCV2(AbstractImageNetwork):
    r"""IGCV2: a residual network whose convolutions are products of sparse ones.

    $y = W_L P_L \cdots W_2 P_2 W_1 x$: $W_1$ is 3×3, each channel by itself, the others are 1×1 in groups of
    K channels (`size`), the channels shuffled before each. With $L - 1 = \lceil \log_K C \rceil$ of them
    every output sees every input, for $C (9 + (L - 1) K)$ weights in place of $9 C^2$; where C is a power of
    K, each along one path. One normalisation follows the whole. Three stages of n blocks with C, 2C and 4C
    channels (`width` is C), depth 6n + 2; where the width doubles, $W_1$ makes two of each channel, and the
    shortcut is 1×1. `attention` ends each block's body; `drop_path` is stochastic depth's last rate.
    The paper does not say its nets channel by channel; this layout is for CIFAR as its text has it.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size of image fits.
    Errors: `UsageError` for a depth that is not 6n + 2, and a size that does not divide the width.
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 3,
        input_size: Size = (32, 32),
        depth: int = 20,
        width: int = 64,
        size: int = 8,
        activation: Choice = "relu",
        attention: Attention = None,
        drop_path: float = 0.0,
    ):
        block = partial(sparse_block, size=size, activation=activation, attention=attention)
        blocks = blocks_of(depth)
        table = [(blocks, width * 2**k) for k in range(3)]
        stem = conv_norm(in_channels, width, 3, activation=activation)
        stages = residual_stages(block, width, table, drop_path)
        super().__init__(stem, stages, mean_pool(), 4 * width, num_classes)
        start_kaiming(self, fan="in")
