"""Twins-SVT: attention within windows of the map and attention to a few pixels of all of it take turns."""

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.choosing import Choice
from ...nn.regularization.stochastic_depth import drop_rates
from ..image import AbstractImageNetwork, KeyMap, Size, is_small
from ..layers import mean_pool
from ..transformers.block import FeedForward
from .swin import ChannelsLast
from .tokens import EPS, PAPER_SIZE, PreNormBlock, SelfAttention, start

KEYS_TIMM: KeyMap = (
    (r"^patch_embeds\.0\.proj\.", "stem.0."),
    (r"^patch_embeds\.0\.norm\.", "stem.1.0."),
    (r"^patch_embeds\.(\d+)\.proj\.", r"stages.\1.merge.0."),
    (r"^patch_embeds\.(\d+)\.norm\.", r"stages.\1.merge.1.0."),
    (r"^pos_block\.(\d+)\.proj\.0\.", r"stages.\1.positions.conv."),
    (r"^blocks\.(\d+)\.(\d+)\.", r"stages.\1.block\2.0."),
    (r"\.attn\.qkv\.", ".mixing.inward."),
    (r"\.attn\.kv\.", ".mixing.inward."),
    (r"\.attn\.q\.", ".mixing.asking."),
    (r"\.attn\.sr\.", ".mixing.few.0."),
    (r"\.attn\.norm\.", ".mixing.few.1.0."),
    (r"\.attn\.proj\.", ".mixing.outward."),
    (r"\.mlp\.fc1\.", ".feed.0."),
    (r"\.mlp\.fc2\.", ".feed.2."),
    (r"^norm\.", "neck.0.0."),
)


class LocalAttention(SelfAttention):
    """Attention among the pixels of each window; zeros fill up the map to whole windows.

    Shapes: (batch, rows, columns, width) -> the same.
    """

    def __init__(self, width: int, heads: int, window: Size):
        super().__init__(width, heads)
        self.window = window

    def forward(self, x: Tensor) -> Tensor:
        (rows, columns), (high, wide) = x.shape[1:3], self.window
        x = F.pad(x, (0, 0, 0, -columns % wide, 0, -rows % high))
        grid = x.shape[1] // high, x.shape[2] // wide
        windows = x.unflatten(2, (grid[1], wide)).unflatten(1, (grid[0], high)).transpose(2, 3)
        windows = self.attend(windows.flatten(3, 4).flatten(1, 2))  # (b, windows, pixels, d)
        x = windows.unflatten(2, self.window).unflatten(1, grid).transpose(2, 3)
        return x.flatten(3, 4).flatten(1, 2)[:, :rows, :columns]


class SubsampledAttention(nn.Module):
    """Attention of all pixels to a few: each square of `ratio` pixels a side becomes one by a convolution.

    The few are normalised; with a ratio of 1 all pixels see all, and there is neither.
    Shapes: (batch, rows, columns, width) -> the same. Raises UsageError where heads do not divide the width.
    """

    def __init__(self, width: int, heads: int, ratio: int):
        super().__init__()
        if width % heads:
            raise UsageError(f"width={width} must be a multiple of heads={heads}")
        self.heads = heads
        self.asking, self.inward = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.outward = nn.Linear(width, width)
        self.few = _squares(width, width, ratio) if ratio > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        few = self.few(x.permute(0, 3, 1, 2)).flatten(2).mT  # (b, m, d)
        q = self.asking(x).flatten(1, 2).unflatten(2, (self.heads, -1)).transpose(1, 2)  # (b, h, n, d/h)
        k, v = self.inward(few).unflatten(2, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (b, h, m, d/h)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return self.outward(mixed).unflatten(1, x.shape[1:3])


class PositionalConv(nn.Module):
    """A 3×3 convolution of each channel by itself, added: by the map's border pixels know where they are."""

    def __init__(self, width: int):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1, groups=width)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> the same
        return x + self.conv(x)


def _squares(width: int, wider: int, side: int) -> nn.Sequential:
    """Each square of the map as one pixel, normalised."""
    return nn.Sequential(nn.Conv2d(width, wider, side, side), ChannelsLast(nn.LayerNorm(wider)))


def _map_size(sides: Sequence[int], stage: int, ratio: int) -> Size:
    """Rows and columns of a stage's map."""
    rows, columns = (side // 2**stage for side in sides)
    if min(rows, columns) < ratio:
        raise UsageError(
            f"stage {stage + 1} has a map of {rows}×{columns}, smaller than its squares of {ratio}×{ratio}: "
            "say a larger input_size, or a smaller patch_size or ratios"
        )
    return rows, columns


@method(
    "twins_svt_small",
    year=2021,
    paper="arXiv:2104.13840",
    aliases=("twins_svt", "twins"),
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
        "layers": (2, 1),
        "widths": (8, 16),
        "heads": (1, 2),
        "ratios": (2, 1),
        "window": 3,
    },
    figures={"parameters": 24_060_776, "multiply_adds": 2_927_353_344},
    variants={
        "twins_svt_base": {
            "layers": (2, 2, 18, 2),
            "widths": (96, 192, 384, 768),
            "heads": (3, 6, 12, 24),
            "figures": {"parameters": 56_070_952, "multiply_adds": 8_562_612_480},
        },
        "twins_svt_large": {
            "layers": (2, 2, 18, 2),
            "widths": (128, 256, 512, 1024),
            "heads": (4, 8, 16, 32),
            "figures": {"parameters": 99_271_400, "multiply_adds": 15_111_777_280},
        },
    },
)
class Twins(AbstractImageNetwork):
    r"""Twins-SVT: blocks of attention within 7×7 windows, every second one of all pixels to a few instead.

    Blocks are $x \leftarrow x + A(\mathrm{norm}(x))$, $x \leftarrow x + F(\mathrm{norm}(x))$, F four times as
    wide, with GELU. The few that all pixels see are squares of the map: of 8, 4, 2 and 1 pixels a side by
    stage (`ratios`), which are 49 at 224×224. Each stage but the first begins by merging 2×2 pixels into
    one, by a convolution and a norm. Positions come from a convolution after each stage's first block.
    `layers`, `widths` and `heads` tell of each stage. Along a side that is shorter than a window there is one
    of its length. Patches are 4×4 pixels, or single ones for small images (64 pixels and less), so that 32×32
    ends as 4×4; `patch_size` says another. `dropout` falls on what each part adds; `drop_path` is stochastic
    depth's last rate.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); larger images fit too, and the
    windows are those for `input_size`, 224×224 where none is said.
    Errors: `UsageError` where layers, widths, heads and ratios do not tell of as many stages, heads do not
    divide a stage's width, and a map is smaller than the squares of its stage.
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {"timm": KEYS_TIMM}

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        patch_size: int | None = None,
        layers: Sequence[int] = (2, 2, 10, 4),
        widths: Sequence[int] = (64, 128, 256, 512),
        heads: Sequence[int] = (2, 4, 8, 16),
        ratios: Sequence[int] = (8, 4, 2, 1),
        window: int = 7,
        activation: Choice = "gelu",
        drop_path: float = 0.0,
        dropout: float = 0.0,
    ):
        if not len(layers) == len(widths) == len(heads) == len(ratios):
            told = f"layers={tuple(layers)}, widths={tuple(widths)}, heads={tuple(heads)}"
            raise UsageError(f"{told} and ratios={tuple(ratios)} must tell of as many stages")
        patch = patch_size or (1 if is_small(input_size) else 4)
        sides = [side // patch for side in input_size or PAPER_SIZE]
        table = list(zip(layers, widths, heads, ratios, strict=True))
        rates = iter(drop_rates(sum(layers), drop_path))

        def stages() -> Iterator[nn.Sequential]:
            for stage, (blocks, width, split, ratio) in enumerate(table):
                made, size = nn.Sequential(), _map_size(sides, stage, ratio)
                if stage:
                    made.add_module("merge", _squares(widths[stage - 1], width, 2))
                for k in range(blocks):
                    mixing = (
                        SubsampledAttention(width, split, ratio)
                        if k % 2
                        else LocalAttention(width, split, (min(window, size[0]), min(window, size[1])))
                    )
                    feed = FeedForward(width, 4 * width, activation)
                    block = PreNormBlock(mixing, feed, width, next(rates), dropout)
                    made.add_module(f"block{k}", ChannelsLast(block))
                    if k == 0:
                        made.add_module("positions", PositionalConv(width))
                yield made

        neck = nn.Sequential(ChannelsLast(nn.LayerNorm(widths[-1], EPS)), *mean_pool())
        stem = _squares(in_channels, widths[0], patch)
        super().__init__(stem, stages(), neck, widths[-1], num_classes)
        start(self)
