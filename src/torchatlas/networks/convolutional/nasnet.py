"""NASNet: two searched cells, each of which sees the outputs of the two cells before it."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.choosing import Choice, chosen
from ...nn.pooling.windows import window_means
from ...nn.regularization.stochastic_depth import StochasticDepth, drop_rates
from ..image import AbstractImageNetwork, KeyMap, Size, is_small
from ..layers import mean_pool, start_kaiming

EPS = 1e-3  # of batch norms
Step = tuple[str, int]  # an operation, and the number of what it sees


class Table(NamedTuple):
    """A cell: pairs of steps that are added up. Number 0 is the last cell's output, 1 that of the one before.

    The pairs' sums have the numbers from 2 on; `out` are those that are joined. Where the cell `halves` the
    map, what sees 0 or 1 does so.
    """

    pairs: Sequence[tuple[Step, Step]]
    out: Sequence[int]
    halves: bool = False


NORMAL = Table(
    (
        (("separable5", 0), ("separable3", 1)),
        (("separable5", 1), ("separable3", 1)),
        (("mean", 0), ("same", 1)),
        (("mean", 1), ("mean", 1)),
        (("separable3", 0), ("same", 0)),
    ),
    out=(1, 2, 3, 4, 5, 6),
)
REDUCTION = Table(
    (
        (("separable5", 0), ("separable7", 1)),
        (("max", 0), ("separable7", 1)),
        (("mean", 0), ("separable5", 1)),
        (("same", 3), ("mean", 2)),
        (("separable3", 2), ("max", 0)),
    ),
    out=(3, 4, 5, 6),
    halves=True,
)


class DepthwiseConv(nn.Conv2d):
    """A convolution of each channel, at stride 2 with less of the border above and to the left."""

    def __init__(self, channels: int, kernel: int, stride: int):
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(channels, channels, kernel, stride, padding, groups=channels, bias=False)

    def forward(self, input: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c, ⌈h/stride⌉, ⌈w/stride⌉)
        if self.stride[0] == 2:
            (height, width), side = input.shape[2:], self.kernel_size[0] // 2
            input = F.pad(input, (side - 1 + width % 2, side, side - 1 + height % 2, side))
        return super().forward(input)


class Pool(nn.Module):
    """The mean or the maximum of 3×3 pixels, of those that there are at the border."""

    def __init__(self, kind: str, stride: int):
        super().__init__()
        self.kind, self.stride = kind, stride

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c, ⌈h/stride⌉, ⌈w/stride⌉)
        height, width = x.shape[2:]
        border = (1, 1) if self.stride == 1 else (height % 2, width % 2)
        if self.kind == "max":
            return F.max_pool2d(x, 3, self.stride, border, ceil_mode=True)
        return window_means(x, 3, self.stride, border)


def squeeze(in_channels: int, channels: int, activation: Choice) -> nn.Sequential:
    """An activation, a 1×1 convolution, batch normalisation."""
    return nn.Sequential(
        chosen(activation, in_channels),
        nn.Conv2d(in_channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels, EPS),
    )


class HalvingSqueeze(nn.Module):
    """An activation, and 1×1 convolutions of every second pixel and of those a pixel further on, joined."""

    def __init__(self, in_channels: int, channels: int, activation: Choice):
        super().__init__()
        self.activation = chosen(activation, in_channels)
        self.path1 = nn.Conv2d(in_channels, channels // 2, 1, bias=False)
        self.path2 = nn.Conv2d(in_channels, channels // 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels, EPS)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', ⌈h/2⌉, ⌈w/2⌉)
        x = self.activation(x)
        here, further = (F.avg_pool2d(each, 1, 2) for each in (x, F.pad(x, (-1, 1, -1, 1))))  # not a slice:
        y: Tensor = self.norm(torch.cat([self.path1(here), self.path2(further)], 1))  # it loses the layout
        return y


def operation(
    name: str, in_channels: int, channels: int, stride: int, activation: Choice, drop_path: float
) -> nn.Module:
    """What a table calls so: "separable5" is an activation, 5×5 and 1×1 convolution and norm, twice."""
    if name == "same":
        return nn.Identity()
    made = nn.Sequential()
    if name in ("max", "mean"):
        made.append(Pool(name, stride))
    else:
        kernel = int(name.removeprefix("separable"))
        for inputs, step in ((in_channels, stride), (channels, 1)):
            made.append(chosen(activation, inputs))
            made.append(DepthwiseConv(inputs, kernel, step))
            made.append(nn.Conv2d(inputs, channels, 1, bias=False))
            made.append(nn.BatchNorm2d(channels, EPS))
    return made.append(StochasticDepth(drop_path)) if drop_path else made


class Cell(nn.Module):
    """A table's cell, of `channels` in each sum.

    before, now: the channels of the outputs of the last cell but one and of the last cell, which 1×1
    convolutions bring to `channels`; `larger`, where the first has twice as many pixels a side. Without a
    cell `before`, number 1 is the map as it is.
    """

    def __init__(
        self,
        table: Table,
        before: int,
        now: int,
        channels: int,
        larger: bool,
        activation: Choice = "relu",
        drop_path: float = 0.0,
    ):
        super().__init__()
        self.out = table.out
        self.seen = [(first[1], second[1]) for first, second in table.pairs]
        self.now = squeeze(now, channels, activation)
        self.before: nn.Module = nn.Identity()
        if before:
            self.before = (HalvingSqueeze if larger else squeeze)(before, channels, activation)

        def made(name: str, number: int) -> nn.Module:
            inputs = now if number == 1 and not before else channels
            stride = 2 if table.halves and number < 2 else 1
            return operation(name, inputs, channels, stride, activation, drop_path)

        self.pairs = nn.ModuleList(nn.ModuleList(made(*step) for step in pair) for pair in table.pairs)

    def forward(self, before: Tensor, now: Tensor) -> Tensor:  # (b, c, h, w) twice -> (b, c', ⌈h/s⌉, ⌈w/s⌉)
        states = [self.now(now), self.before(before)]
        for (i, j), pair in zip(self.seen, self.pairs, strict=True):
            first, second = pair.children()
            states.append(first(states[i]) + second(states[j]))
        return torch.cat([states[number] for number in self.out], 1)


class CellStage(nn.Module):
    """Cells in a row. The next stage's first cell sees two outputs: a stage gives both, joined by channels.

    split: the channels that belong to the first of the two maps that come in; 0 where one comes alone.
    skip: the cell after the halving one does not see what that one saw, but what came before it.
    """

    def __init__(self, cells: Sequence[Cell], split: int, skip: bool, last: bool):
        super().__init__()
        self.cells = nn.ModuleList(cells)
        self.split, self.skip, self.last = split, skip, last

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', ⌈h/s⌉, ⌈w/s⌉)
        before, now = (x[:, : self.split], x[:, self.split :]) if self.split else (x, x)
        for number, cell in enumerate(self.cells):
            made = cell(before, now)
            before, now = (before if self.skip and number == 0 else now), made
        return now if self.last else torch.cat([before, now], 1)


def cell_stages(
    stem: int,
    plan: Sequence[Sequence[tuple[Table, int]]],
    skip: bool,
    activation: Choice,
    drop_path: float,
) -> list[CellStage]:
    """Stages after a stem of so many channels: a table and the channels of a sum for each of their cells.

    The rates at which operations are left out rise from cell to cell, to `drop_path`.
    """
    rates = iter(drop_rates(sum(map(len, plan)), drop_path))
    before, now, stages = 0, stem, []
    for stage, rows in enumerate(plan):
        split, larger, cells = before, False, []
        if stage == 0 and not rows[0][0].halves:
            before = now  # no cell came before: it sees the stem's map twice
        for number, (table, channels) in enumerate(rows):
            cells.append(Cell(table, before, now, channels, larger, activation, next(rates)))
            before = before if skip and stage and number == 0 else now
            now, larger = len(table.out) * channels, table.halves
        stages.append(CellStage(cells, split, skip and stage > 0, stage == len(plan) - 1))
    return stages


def _shared(left: str, first: str) -> KeyMap:
    """What comes last in both libraries: parts of a cell, by the names of its 1×1 convolutions."""
    return (
        (rf"\.{left}\.conv\.", ".now.1."),
        (rf"\.{left}\.bn\.", ".now.2."),
        (rf"\.{first}\.conv\.", ".before.1."),
        (rf"\.{first}\.bn\.", ".before.2."),
    )


KEYS_TIMM: KeyMap = (
    (r"^conv0\.conv\.", "stem.0."),
    (r"^conv0\.bn\.", "stem.1."),
    (r"^cell_stem_(\d)\.", r"stages.0.cells.\1."),
    (r"^reduction_cell_0\.", "stages.1.cells.0."),
    (r"^reduction_cell_1\.", "stages.2.cells.0."),
    *((rf"^cell_{k}\.", f"stages.{k // 6}.cells.{k % 6 + (1 if k > 5 else 2)}.") for k in range(18)),
    (r"\.comb_iter_(\d)_left\.", r".pairs.\1.0."),
    (r"\.comb_iter_(\d)_right\.", r".pairs.\1.1."),
    (r"\.separable_1\.depthwise_conv2d\.", ".1."),
    (r"\.separable_1\.pointwise_conv2d\.", ".2."),
    (r"\.bn_sep_1\.", ".3."),
    (r"\.separable_2\.depthwise_conv2d\.", ".5."),
    (r"\.separable_2\.pointwise_conv2d\.", ".6."),
    (r"\.bn_sep_2\.", ".7."),
    (r"\.path_(\d)\.conv\.", r".before.path\1."),
    (r"\.final_path_bn\.", ".before.norm."),
    *_shared("conv_1x1", "conv_prev_1x1"),
    (r"^last_linear\.", "head."),
)
KEYS_PYTORCHCV: KeyMap = (
    (r"^features\.init_block\.conv\.", "stem.0."),
    (r"^features\.init_block\.bn\.", "stem.1."),
    (r"^features\.stem1_unit\.", "stages.0.cells.0."),
    (r"^features\.stem2_unit\.", "stages.0.cells.1."),
    *((rf"^features\.stage1\.unit{k}\.", f"stages.0.cells.{k + 1}.") for k in range(1, 8)),
    *((rf"^features\.stage2\.unit{k}\.", f"stages.1.cells.{k - 1}.") for k in range(1, 8)),
    *((rf"^features\.stage3\.unit{k}\.", f"stages.2.cells.{k - 1}.") for k in range(1, 8)),
    (r"\.comb(\d)_left\.", r".pairs.\1.0."),
    (r"\.comb(\d)_right\.", r".pairs.\1.1."),
    (r"\.conv1\.conv\.dw_conv\.", ".1."),
    (r"\.conv1\.conv\.pw_conv\.", ".2."),
    (r"\.conv1\.bn\.", ".3."),
    (r"\.conv2\.conv\.dw_conv\.", ".5."),
    (r"\.conv2\.conv\.pw_conv\.", ".6."),
    (r"\.conv2\.bn\.", ".7."),
    (r"\.path\.path(\d)\.conv\.", r".before.path\1."),
    (r"\.path\.bn\.", ".before.norm."),
    *_shared("conv1x1", "conv1x1_prev"),
    (r"^output\.fc\.", "head."),
)


@method(
    "nasnet_a_mobile",
    year=2017,
    paper="arXiv:1707.07012",
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
        "input_size": (8, 8),
        "cells": 1,
        "width": 96,
        "stem_width": 4,
        "skip": False,
        "dropout": 0.0,
    },
    figures={"parameters": 5_289_978, "multiply_adds": 563_638_816},
    variants={
        "nasnet_a_large": {
            "cells": 6,
            "width": 4032,
            "stem_width": 96,
            "skip": True,
            "figures": {
                "parameters": 88_753_150,
                "multiply_adds": 23_783_414_658,
                "at": {"input_size": (331, 331)},
            },
        },
    },
)
class NASNet(AbstractImageNetwork):
    r"""NASNet-A: normal cells that keep the map and reduction cells that halve it, both found by search.

    A cell is five pairs of operations on the outputs of the two cells before, or on sums of its own; what it
    gives is joined. Between a 3×3 convolution, two reduction cells and three runs of `cells` normal ones,
    with a reduction cell between runs, the channels double, up to `width` at the end (4@1056, 6@4032 in the
    paper's words). `skip`: what comes after a reduction cell sees the cell before the last but one in place
    of the one that the reduction saw, as in the large network. `drop_path` is the last rate at which
    operations are left out. The auxiliary classifier, which trains and is not counted, is left out.
    Each stage but the last gives the maps of its last two cells, joined, as the next cell needs both.
    Small images (64 pixels and less) meet the paper's network for CIFAR, without the first two reduction
    cells and halvings: 32×32 ends as 8×8. Its first normal cell sees the stem's map twice.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size of image fits.
    Errors: `UsageError` for a width that is no multiple of 96, and without cells.
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {"timm": KEYS_TIMM, "pytorchcv": KEYS_PYTORCHCV}

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        cells: int = 4,
        width: int = 1056,
        stem_width: int = 32,
        skip: bool = False,
        activation: Choice = "relu",
        drop_path: float = 0.0,
        dropout: float = 0.5,
    ):
        if width < 96 or width % 96:
            raise UsageError(f"width={width} must be a multiple of 96, as it is divided by 24 and again by 4")
        if cells < 1:
            raise UsageError(f"cells={cells} must be 1 or more")
        small, channels = is_small(input_size), width // 24
        first = [] if small else [(REDUCTION, channels // 4), (REDUCTION, channels // 2)]
        plan = [[*first, *[(NORMAL, channels)] * cells]]
        for times in (2, 4):
            plan.append([(REDUCTION, times * channels), *[(NORMAL, times * channels)] * cells])
        conv = nn.Conv2d(in_channels, stem_width, 3, *((1, 1) if small else (2, 0)), bias=False)
        stem = nn.Sequential(conv, nn.BatchNorm2d(stem_width, EPS))
        stages = cell_stages(stem_width, plan, skip, activation, drop_path)
        neck = nn.Sequential(chosen(activation, width), *mean_pool(), nn.Dropout(dropout))
        super().__init__(stem, stages, neck, width, num_classes)
        start_kaiming(self, fan="in")
