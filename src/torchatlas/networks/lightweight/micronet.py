"""MicroNet: factorised layers and dynamic activations, for a few million multiply-adds."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.activations.dynamic_shift_max import DynamicShiftMax
from ..image import AbstractImageNetwork, Size, is_small
from ..layers import conv_norm, mean_pool


class Row(NamedTuple):
    """One block: what the authors' table says of it."""

    stride: int
    channels: int
    kernel: int
    expand: tuple[int, int]  # times as many channels after the column and after the row
    first: tuple[
        int, int
    ]  # groups of the 1×1 convolution before the depthwise one (0: none), and of its shuffle
    second: tuple[int, int]  # the same of the 1×1 convolution after it (0: none)
    dynamic: tuple[bool, bool, bool]  # after the first 1×1, the depthwise and the second 1×1 convolution
    ratio: int  # how many times narrower the squeeze of a dynamic activation is


Rows = Sequence[
    tuple[int, int, int, tuple[int, int], tuple[int, int], tuple[int, int], tuple[bool, bool, bool], int]
]

ALL, LATE, LAST, MIDDLE = (True, True, True), (False, True, True), (False, False, True), (False, True, False)
ROWS: dict[str, Rows] = {
    "m0": (
        (2, 8, 3, (2, 2), (0, 4), (2, 2), LAST, 1),
        (2, 12, 3, (2, 2), (0, 8), (4, 4), LATE, 1),
        (2, 16, 5, (2, 2), (0, 12), (4, 4), LATE, 1),
        (1, 32, 5, (1, 4), (4, 4), (4, 4), ALL, 1),
        (2, 64, 5, (1, 4), (8, 8), (8, 8), ALL, 1),
        (1, 96, 3, (1, 4), (8, 8), (8, 8), ALL, 2),
        (1, 384, 3, (1, 4), (12, 12), (0, 0), ALL, 2),
    ),
    "m1": (
        (2, 8, 3, (2, 2), (0, 6), (2, 2), LAST, 1),
        (2, 16, 3, (2, 2), (0, 8), (4, 4), LATE, 1),
        (2, 16, 5, (2, 2), (0, 16), (4, 4), LATE, 1),
        (1, 32, 5, (1, 6), (4, 4), (4, 4), ALL, 1),
        (2, 64, 5, (1, 6), (8, 8), (8, 8), ALL, 1),
        (1, 96, 3, (1, 6), (8, 8), (8, 8), ALL, 2),
        (1, 576, 3, (1, 6), (12, 12), (0, 0), ALL, 2),
    ),
    "m2": (
        (2, 12, 3, (2, 2), (0, 8), (4, 4), LAST, 1),
        (2, 16, 3, (2, 2), (0, 12), (4, 4), LATE, 1),
        (1, 24, 3, (2, 2), (0, 16), (4, 4), LATE, 1),
        (2, 32, 5, (1, 6), (6, 6), (4, 4), ALL, 1),
        (1, 32, 5, (1, 6), (8, 8), (4, 4), ALL, 2),
        (1, 64, 5, (1, 6), (8, 8), (8, 8), ALL, 2),
        (2, 96, 5, (1, 6), (8, 8), (8, 8), ALL, 2),
        (1, 128, 3, (1, 6), (12, 12), (8, 8), ALL, 2),
        (1, 768, 3, (1, 6), (16, 16), (0, 0), ALL, 2),
    ),
    "m3": (
        (2, 16, 3, (2, 2), (0, 12), (4, 4), MIDDLE, 1),
        (2, 24, 3, (2, 2), (0, 16), (4, 4), MIDDLE, 1),
        (1, 24, 3, (2, 2), (0, 24), (4, 4), MIDDLE, 1),
        (2, 32, 5, (1, 6), (6, 6), (4, 4), MIDDLE, 1),
        (1, 32, 5, (1, 6), (8, 8), (4, 4), MIDDLE, 2),
        (1, 64, 5, (1, 6), (8, 8), (8, 8), MIDDLE, 2),
        (1, 80, 5, (1, 6), (8, 8), (8, 8), MIDDLE, 2),
        (1, 80, 5, (1, 6), (10, 10), (8, 8), MIDDLE, 2),
        (2, 120, 5, (1, 6), (10, 10), (10, 10), MIDDLE, 2),
        (1, 120, 5, (1, 6), (12, 12), (10, 10), MIDDLE, 2),
        (1, 144, 3, (1, 6), (12, 12), (12, 12), MIDDLE, 2),
        (1, 864, 3, (1, 6), (12, 12), (0, 0), MIDDLE, 2),
    ),
}


def factorized_depthwise(channels: int, row: Row, stride: int, expand: tuple[int, int]) -> list[nn.Module]:
    """A k×1 depthwise convolution, then a 1×k one, each normalised, with more channels after each."""
    middle, k = channels * expand[0], row.kernel
    return [
        *conv_norm(channels, middle, (k, 1), (stride, 1), channels, activation=None),
        *conv_norm(middle, middle * expand[1], (1, k), (1, stride), middle, activation=None),
    ]


class MicroBlock(nn.Module):
    """A factorised depthwise convolution and 1×1 ones in groups; the identity around them where it fits.

    Without a first 1×1 convolution the depthwise one expands; without a second nothing follows the first.
    """

    def __init__(self, in_channels: int, row: Row, stride: int):
        super().__init__()
        wide = in_channels * math.prod(row.expand)
        if row.second[0] == 0:
            layers = [*conv_norm(in_channels, row.channels, groups=row.first[0], activation=None)]
            layers += mixed(row.channels, row.first[1], row, 8, row.dynamic[2])
        else:
            layers = list(
                _deep(in_channels, wide, row, stride)
                if row.first[0]
                else _shallow(in_channels, wide, row, stride)
            )
        self.body = nn.Sequential(*layers)
        self.same = stride == 1 and in_channels == row.channels

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', ⌈h/stride⌉, ⌈w/stride⌉)
        y: Tensor = self.body(x)
        return x + y if self.same else y


def shift_max(channels: int, groups: int, row: Row) -> nn.Module:
    """Dynamic Shift-Max of two pieces."""
    return DynamicShiftMax(channels, groups, reduction=8 * row.ratio)


def mixed(channels: int, groups: int, row: Row, reduction: int, dynamic: bool) -> list[nn.Module]:
    """The dynamic activation of one piece, which is linear in the map; none where it is not dynamic."""
    if not dynamic:
        return []
    return [DynamicShiftMax(channels, groups, pieces=1, reduction=reduction * row.ratio)]


def _out(wide: int, row: Row, reduction: int) -> Iterator[nn.Module]:
    """The second 1×1 convolution with what follows it."""
    yield from conv_norm(wide, row.channels, groups=row.second[0], activation=None)
    yield from mixed(row.channels, row.second[1], row, reduction, row.dynamic[2])
    yield nn.ChannelShuffle(row.second[1])
    if row.dynamic[2]:
        yield nn.ChannelShuffle(row.channels // 2)


def _shallow(in_channels: int, wide: int, row: Row, stride: int) -> Iterator[nn.Module]:
    """The depthwise convolution expands."""
    yield from factorized_depthwise(in_channels, row, stride, row.expand)
    yield shift_max(wide, row.first[1], row) if row.dynamic[1] else nn.ReLU6()
    yield nn.ChannelShuffle(row.first[1])
    if row.dynamic[1]:
        yield nn.ChannelShuffle(wide // 2)
    yield from _out(wide, row, 4)


def _deep(in_channels: int, wide: int, row: Row, stride: int) -> Iterator[nn.Module]:
    """A 1×1 convolution expands before the depthwise one."""
    yield from conv_norm(in_channels, wide, groups=row.first[0], activation=None)
    yield shift_max(wide, row.first[1], row) if row.dynamic[0] else nn.ReLU6()
    yield nn.ChannelShuffle(row.first[1])
    yield from factorized_depthwise(wide, row, stride, (1, 1))
    yield shift_max(wide, wide // row.first[1], row) if row.dynamic[1] else nn.ReLU6()
    if dynamic := sum(row.dynamic[:2]):
        yield nn.ChannelShuffle(wide // (2 * dynamic))
    yield from _out(wide, row, 4 if row.channels < wide else 8)


def start_dense(linear: nn.Linear) -> None:
    """The authors' first weights."""
    nn.init.normal_(linear.weight, std=0.01)
    nn.init.zeros_(linear.bias)


def dense(features: int, channels: int) -> nn.Sequential:
    """A dense layer, normalised, with hard swish."""
    linear = nn.Linear(features, channels)
    start_dense(linear)
    return nn.Sequential(linear, nn.BatchNorm1d(channels), nn.Hardswish())


@method(
    "micronet_m0",
    year=2021,
    paper="arXiv:2108.05894",
    aliases=("micronet",),
    topics=("classification", "vision"),
    recipe={
        "optimizer": "sgd",
        "optimizer.momentum": 0.9,
        "optimizer.weight_decay": 3e-5,
        "lr": 0.1,
        "schedule": "lr_cosine",
        "batch_size": 128,
        "epochs": 30,
    },
    tiny={
        "num_classes": 3,
        "in_channels": 1,
        "input_size": (8, 8),
        "rows": (
            (2, 8, 3, (2, 2), (0, 4), (2, 2), (False, True, True), 1),
            (1, 8, 3, (1, 4), (4, 4), (4, 4), (True, True, True), 1),
            (1, 16, 3, (1, 2), (4, 4), (0, 0), (False, True, True), 1),
        ),
        "stem": (2, 2),
        "hidden": 16,
        "dropout": 0.0,
    },
    figures={"parameters": 1_019_590, "multiply_adds": 3_448_880},
    variants={
        "micronet_m1": {
            "rows": "m1",
            "stem": (3, 2),
            "hidden": 960,
            "figures": {"parameters": 1_777_587, "multiply_adds": 5_314_080},
        },
        "micronet_m2": {
            "rows": "m2",
            "stem": (4, 2),
            "hidden": 1024,
            "dropout": 0.1,
            "figures": {"parameters": 2_393_876, "multiply_adds": 10_338_128},
        },
        "micronet_m3": {
            "rows": "m3",
            "stem": (4, 3),
            "hidden": 1024,
            "dropout": 0.1,
            "figures": {"parameters": 2_622_960, "multiply_adds": 18_236_000},
        },
    },
)
class MicroNet(AbstractImageNetwork):
    r"""MicroNet: 1×1 convolutions of two grouped factors, k×1 and 1×k depthwise ones, and Dynamic Shift-Max.

    A 1×1 layer between C channels is $P \Phi Q^T$: $Q$ and P in groups, their channels shuffled between, so
    that all meet at a few connections each. Dynamic Shift-Max (see `dynamic_shift_max`) joins the groups
    further, by weights that follow from the whole map; after a block's last convolution it has one piece and
    is linear. `rows` names a size ("m0" … "m3") or tells of each block what `Row` says; `stem` are the
    channels after its 3×1 convolution, and times how many follow from its 1×3 one; `hidden` is the width of
    the dense layer before the last. The head ends in a normalisation and hard swish too.
    The authors' code turns the channels within a group as well when it shifts, and starts its activations at
    other weights; here stands the paper's formula, with as many parameters.
    Small images (64 pixels and less) are not halved before the second stage, so that 32×32 ends as 4×4.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size of image fits.
    Errors: `UsageError` for a size that there is not.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        rows: str | Rows = "m0",
        stem: tuple[int, int] = (2, 2),
        hidden: int = 640,
        dropout: float = 0.05,
    ):
        if isinstance(rows, str) and rows not in ROWS:
            raise UsageError(f"MicroNet's sizes are {', '.join(ROWS)}, not {rows!r}")
        table = [Row(*row) for row in (ROWS[rows] if isinstance(rows, str) else rows)]
        small, (few, times) = is_small(input_size), stem
        stride, width = 1 if small else 2, few * times
        begin = nn.Sequential(
            *conv_norm(in_channels, few, (3, 1), (stride, 1), activation=None),
            *conv_norm(few, width, (1, 3), (1, stride), few, activation=None),
            nn.ChannelShuffle(few),
            nn.ReLU6(),
        )
        stages: list[nn.Sequential] = []
        for row in table:
            if row.stride > 1 or not stages:
                stages.append(nn.Sequential())
            first = small and len(stages) == 1
            stages[-1].append(MicroBlock(width, row, 1 if first else row.stride))
            width = row.channels
        pooled = (nn.ReLU6(), mean_pool(), nn.Hardswish())
        neck = nn.Sequential(*pooled, dense(width, hidden), nn.Dropout(dropout))
        super().__init__(begin, stages, neck, hidden, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                n = module.out_channels * math.prod(module.kernel_size)
                nn.init.normal_(module.weight, std=math.sqrt(2 / n))
            elif isinstance(module, nn.Linear):
                start_dense(module)

    def make_head(self, num_classes: int) -> nn.Module:
        """Dense, normalised, with hard swish."""
        return dense(self.features, num_classes)
