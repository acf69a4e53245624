"""Swin transformers: attention within windows of the map, which every second block shifts."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.choosing import Choice
from ...nn.regularization.stochastic_depth import drop_rates
from ..image import AbstractImageNetwork, KeyMap, Size, is_small
from ..layers import mean_pool
from ..transformers.block import FeedForward
from .tokens import PAPER_SIZE, PreNormBlock, SelfAttention, start

EPS = 1e-5

BLOCK_KEYS: KeyMap = (
    (r"\.attn\.relative_position_index$", ".drop"),
    (r"^.*\.drop$", ""),
    (r"\.attn\.relative_position_bias_table$", ".mixing.bias"),
    (r"\.attn\.qkv\.", ".mixing.inward."),
    (r"\.attn\.proj\.", ".mixing.outward."),
    (r"\.mlp\.(fc1|0)\.", ".feed.0."),
    (r"\.mlp\.(fc2|3)\.", ".feed.2."),
    (r"^norm\.", "neck.0.0."),
)
KEYS_TIMM: KeyMap = (
    (r"^patch_embed\.proj\.", "stem.0."),
    (r"^patch_embed\.norm\.", "stem.1.0."),
    (r"^layers\.(\d+)\.downsample\.", r"stages.\1.merge.0."),
    (r"^layers\.(\d+)\.blocks\.(\d+)\.", r"stages.\1.block\2.0."),
    (r"^head\.fc\.", "head."),
    *BLOCK_KEYS,
)
KEYS_TORCHVISION: KeyMap = (
    (r"^features\.0\.0\.", "stem.0."),
    (r"^features\.0\.2\.", "stem.1.0."),
    *((rf"^features\.{2 * k}\.", f"stages.{k}.merge.0.") for k in (1, 2, 3)),
    *((rf"^features\.{2 * k + 1}\.(\d+)\.", rf"stages.{k}.block\1.0.") for k in (0, 1, 2, 3)),
    *BLOCK_KEYS,
)


class ChannelsLast(nn.Sequential):
    """Layers for maps whose channels come last, on maps whose channels come second."""

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', h', w')
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class PatchMerging(nn.Module):
    """Each 2×2 pixels side by side as channels, normalised, and mapped to twice the channels.

    The order is that of columns: top left, bottom left, top right, bottom right. Odd sides are filled up
    with zeros. Shapes: (b, h, w, c) -> (b, ⌈h/2⌉, ⌈w/2⌉, 2 c).
    """

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(4 * width, EPS)
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
        parts = [x[:, row::2, column::2] for column, row in product((0, 1), (0, 1))]
        return self.reduction(self.norm(torch.cat(parts, -1)))


class WindowAttention(SelfAttention):
    r"""Attention among the pixels of each window, with a learned bias for each displacement.

    $\mathrm{softmax}(QK^T / \sqrt{d_h} + B) V$, B by head and displacement. With a `shift` the map is rolled
    first, so that windows reach over the former borders; pixels that the roll brought together from
    opposite edges do not see each other. The map is filled up with zeros to whole windows.
    Shapes: (b, h, w, width) -> the same.
    """

    where: Tensor

    def __init__(self, width: int, heads: int, window: Size, shift: Size):
        super().__init__(width, heads)
        self.window, self.shift = window, shift
        rows, columns = (2 * side - 1 for side in window)
        self.bias = nn.Parameter(torch.empty(rows * columns, heads))
        nn.init.trunc_normal_(self.bias, std=0.02, a=-0.04, b=0.04)
        down, across = (torch.arange(side)[:, None] - torch.arange(side) + side - 1 for side in window)
        where = columns * down[:, None, :, None] + across[None, :, None, :]  # (rows, columns) twice
        self.register_buffer("where", where.flatten(2).flatten(0, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        size, (rows, columns) = x.shape[1:3], self.window
        x = F.pad(x, (0, 0, 0, -size[1] % columns, 0, -size[0] % rows))
        bias = self.bias[self.where].movedim(2, 0)  # (heads, n, n), n pixels of a window
        if any(self.shift):
            x = x.roll([-shift for shift in self.shift], (1, 2))
            apart = self.strangers(x.shape[1:3], x.device)
            bias = bias.masked_fill(apart[:, None], -math.inf)  # (windows, heads, n, n)
        grid = x.shape[1] // rows, x.shape[2] // columns
        windows = x.unflatten(2, (grid[1], columns)).unflatten(1, (grid[0], rows)).transpose(2, 3)
        windows = self.attend(windows.flatten(3, 4).flatten(1, 2), bias)  # (b, windows, n, d)
        x = windows.unflatten(2, self.window).unflatten(1, grid).transpose(2, 3)
        x = x.flatten(3, 4).flatten(1, 2)
        if any(self.shift):
            x = x.roll(self.shift, (1, 2))
        return x[:, : size[0], : size[1]]

    def strangers(self, size: Sequence[int], device: torch.device) -> Tensor:  # -> (windows, n, n)
        """Which pixels of a window of the rolled map were no neighbours before."""
        row, column = (
            _regions(*lengths, device) for lengths in zip(size, self.window, self.shift, strict=True)
        )
        region = 3 * row[:, None, :, None] + column[None, :, None, :]  # (down, across, rows, columns)
        region = region.flatten(2).flatten(0, 1)
        return region[:, :, None] != region[:, None, :]


def _regions(length: int, window: int, shift: int, device: torch.device) -> Tensor:  # -> (windows, window)
    """0 before the last window, in it 1, and 2 for what came from the other edge."""
    place = torch.arange(length, device=device)
    return ((place >= length - window).int() + (place >= length - shift).int()).view(-1, window)


def _windows(size: Sequence[int], window: int, shifted: bool) -> tuple[Size, Size]:
    """The sides of windows on a map, and their shifts: none along a side that is no longer than a window."""
    high, wide = (min(window, side) for side in size)
    down, across = (window // 2 if shifted and side > window else 0 for side in size)
    return (high, wide), (down, across)


@method(
    "swin_tiny",
    year=2021,
    paper="arXiv:2103.14030",
    aliases=("swin",),
    topics=("classification", "vision"),
    recipe={
        "optimizer": "adamw",
        "optimizer.weight_decay": 0.05,
        "lr": 0.001,
        "schedule": "lr_cosine",
        "clip": 1.0,
        "batch_size": 128,
        "epochs": 30,
    },
    tiny={
        "num_classes": 3,
        "in_channels": 1,
        "input_size": (8, 8),
        "width": 8,
        "layers": (2, 1),
        "heads": (1, 2),
        "window": 3,
    },
    figures={"parameters": 28_288_354, "multiply_adds": 4_490_566_656},
    variants={
        "swin_small": {
            "layers": (2, 2, 18, 2),
            "figures": {"parameters": 49_606_258, "multiply_adds": 8_740_875_264},
        },
        "swin_base": {
            "layers": (2, 2, 18, 2),
            "width": 128,
            "heads": (4, 8, 16, 32),
            "figures": {"parameters": 87_768_224, "multiply_adds": 15_430_946_816},
        },
    },
)
class SwinTransformer(AbstractImageNetwork):
    r"""Swin transformer: blocks of attention within 7×7 windows, every second one with windows shifted by 3.

    `layers` tells the blocks of each stage, `heads` the heads of its attention; each stage but the first
    begins by merging 2×2 pixels into one of twice the width. Blocks normalise first, the feed-forward part is
    four times as wide, with GELU. Along a side that is no longer than a window there is one, and no shift.
    Patches are 4×4 pixels, or single ones for small images (64 pixels and less), so that 32×32 ends as 4×4;
    `patch_size` says another. `dropout` falls on what each part adds; `drop_path` is stochastic depth's last
    rate, 0.2, 0.3 and 0.5 in the paper for tiny, small and base.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); any size of image fits, and the
    windows are those for `input_size`, 224×224 where none is said.
    Errors: `UsageError` where heads do not divide a stage's width, and heads are not told for each stage.
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {"timm": KEYS_TIMM, "torchvision": KEYS_TORCHVISION}

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        patch_size: int | None = None,
        width: int = 96,
        layers: Sequence[int] = (2, 2, 6, 2),
        heads: Sequence[int] = (3, 6, 12, 24),
        window: int = 7,
        activation: Choice = "gelu",
        drop_path: float = 0.0,
        dropout: float = 0.0,
    ):
        if len(layers) != len(heads):
            raise UsageError(f"layers={tuple(layers)} and heads={tuple(heads)} must tell of as many stages")
        patch = patch_size or (1 if is_small(input_size) else 4)
        sides = [side // patch for side in input_size or PAPER_SIZE]
        table = list(zip(layers, heads, strict=True))
        rates = iter(drop_rates(sum(layers), drop_path))

        def stages() -> Iterator[nn.Sequential]:
            for stage, (blocks, split) in enumerate(table):
                wide, size = width * 2**stage, [math.ceil(side / 2**stage) for side in sides]
                made = nn.Sequential()
                if stage:
                    made.add_module("merge", ChannelsLast(PatchMerging(wide // 2)))
                for k in range(blocks):
                    mixing = WindowAttention(wide, split, *_windows(size, window, k % 2 == 1))
                    feed = FeedForward(wide, 4 * wide, activation)
                    block = PreNormBlock(mixing, feed, wide, next(rates), dropout, EPS)
                    made.add_module(f"block{k}", ChannelsLast(block))
                yield made

        features = width * 2 ** (len(layers) - 1)
        stem = nn.Sequential(
            nn.Conv2d(in_channels, width, patch, patch), ChannelsLast(nn.LayerNorm(width, EPS))
        )
        neck = nn.Sequential(ChannelsLast(nn.LayerNorm(features, EPS)), *mean_pool())
        super().__init__(stem, stages(), neck, features, num_classes)
        start(self)
