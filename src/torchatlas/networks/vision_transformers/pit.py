"""PiT: a vision transformer whose map of patches shrinks from stage to stage."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.choosing import Choice
from ...nn.regularization.stochastic_depth import drop_rates
from ..image import KeyMap, Size, is_small
from ..transformers.block import FeedForward
from .tokens import (
    EPS,
    PAPER_SIZE,
    AbstractTokenNetwork,
    FirstToken,
    PreNormBlock,
    SelfAttention,
    refuse_other_sizes,
)

KEYS_TIMM: KeyMap = (
    (r"^patch_embed\.conv\.", "stem.conv."),
    (r"^pos_embed$", "stem.positions"),
    (r"^cls_token$", "stem.token"),
    (r"^transformers\.(\d+)\.pool\.conv\.", r"stages.\1.pool.conv."),
    (r"^transformers\.(\d+)\.pool\.fc\.", r"stages.\1.pool.affine."),
    (r"^transformers\.(\d+)\.blocks\.(\d+)\.", r"stages.\1.block\2."),
    (r"\.attn\.qkv\.", ".mixing.inward."),
    (r"\.attn\.proj\.", ".mixing.outward."),
    (r"\.mlp\.fc1\.", ".feed.0."),
    (r"\.mlp\.fc2\.", ".feed.2."),
    (r"^norm\.", "neck.0."),
)


class OverlappingPatches(nn.Module):
    """Patches that overlap by half, with learned positions added, after a learned class token without one.

    `grid` is how many patches there are, rows and columns; what is left at the right and lower edge is not
    seen. Shapes: (batch, in_channels, *size) -> (batch, 1 + rows · columns, width). Raises UsageError where
    not one patch fits, and for images of another size.
    """

    def __init__(self, in_channels: int, width: int, size: Size, patch_size: int, dropout: float):
        super().__init__()
        if patch_size < 2 or min(size) < patch_size:
            raise UsageError(
                f"patches of {patch_size}×{patch_size} do not fit into images of {size[0]}×{size[1]}: say a "
                "patch_size from 2 to the shorter side, or another input_size"
            )
        self.size, step = size, patch_size // 2
        self.grid = ((size[0] - patch_size) // step + 1, (size[1] - patch_size) // step + 1)
        self.conv = nn.Conv2d(in_channels, width, patch_size, step)
        self.positions = nn.Parameter(torch.empty(1, width, *self.grid))
        self.token = nn.Parameter(torch.empty(1, 1, width))
        for drawn in (self.positions, self.token):
            nn.init.trunc_normal_(drawn, std=0.02, a=-0.04, b=0.04)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        refuse_other_sizes(x, self.size)
        patches = self.dropout(self.conv(x) + self.positions).flatten(2).mT
        return torch.cat((self.token.expand(x.shape[0], -1, -1), patches), 1)


class TokenPooling(nn.Module):
    """Half the rows and columns of patches, and more channels of each; the class token gets as many.

    A 3×3 convolution of each channel by itself, of stride 2, makes several of it; the class token meets an
    affine map. `grid` is that of the patches that come in.
    Shapes: (batch, 1 + rows · columns, width) -> (batch, 1 + ⌈rows/2⌉ · ⌈columns/2⌉, wider).
    """

    def __init__(self, width: int, wider: int, grid: Size):
        super().__init__()
        self.grid = grid
        self.conv = nn.Conv2d(width, wider, 3, 2, 1, groups=width)
        self.affine = nn.Linear(width, wider)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.conv(x[:, 1:].mT.unflatten(2, self.grid))  # (b, wider, ⌈rows/2⌉, ⌈columns/2⌉)
        return torch.cat((self.affine(x[:, :1]), patches.flatten(2).mT), 1)


@method(
    "pit_s_224",
    year=2021,
    paper="arXiv:2103.16302",
    aliases=("pit",),
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
        "patch_size": 4,
        "layers": (1, 1),
        "heads": (1, 2),
        "head_width": 8,
    },
    figures={"parameters": 23_461_912, "multiply_adds": 2_870_796_096},
    variants={
        "pit_ti_224": {
            "heads": (2, 4, 8),
            "head_width": 32,
            "figures": {"parameters": 4_847_272, "multiply_adds": 699_059_456},
        },
        "pit_xs_224": {
            "heads": (2, 4, 8),
            "figures": {"parameters": 10_618_888, "multiply_adds": 1_394_699_136},
        },
        "pit_b_224": {
            "layers": (3, 6, 4),
            "heads": (4, 8, 16),
            "head_width": 64,
            "patch_size": 14,
            "figures": {"parameters": 73_764_840, "multiply_adds": 12_401_916_928},
        },
    },
)
class PiT(AbstractTokenNetwork):
    r"""PiT: a vision transformer in stages, each but the first of which begins by pooling the patches.

    Pooling halves the map of patches by a convolution of each channel and makes more channels of it, while an
    affine map brings the class token to as many. Within a stage stand ViT's blocks: $x \leftarrow x +
    A(\mathrm{norm}(x))$, $x \leftarrow x + F(\mathrm{norm}(x))$, F four times as wide, with GELU. The class
    token's last state, normalised, is the features.
    `layers` tells the blocks of each stage, `heads` the heads of its attention, each of `head_width`
    channels; their product is the stage's width, a multiple of the one before. Patches are `patch_size` (16,
    or 4 for images of 64 pixels and less) and overlap by half; nothing fills up the edges. `dropout` falls on
    the patches and on what each part adds; `drop_path` is stochastic depth's last rate.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); only images of this size fit,
    224×224 where none is said.
    Errors: `UsageError` where patches do not fit into the image, heads are not told for each stage, and are
    no multiple of those before.
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {"timm": KEYS_TIMM}

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        patch_size: int | None = None,
        layers: Sequence[int] = (2, 6, 4),
        heads: Sequence[int] = (3, 6, 12),
        head_width: int = 48,
        activation: Choice = "gelu",
        drop_path: float = 0.0,
        dropout: float = 0.0,
    ):
        if len(layers) != len(heads):
            raise UsageError(f"layers={tuple(layers)} and heads={tuple(heads)} must tell of as many stages")
        if any(more % fewer for fewer, more in pairwise(heads)):
            raise UsageError(f"heads={tuple(heads)}: each must be a multiple of the one before")
        widths = [split * head_width for split in heads]
        side = patch_size or (4 if is_small(input_size) else 16)
        stem = OverlappingPatches(in_channels, widths[0], input_size or PAPER_SIZE, side, dropout)
        rates = iter(drop_rates(sum(layers), drop_path))

        def stages() -> Iterator[nn.Sequential]:
            grid = stem.grid
            for stage, (blocks, split, wide) in enumerate(zip(layers, heads, widths, strict=True)):
                made = nn.Sequential()
                if stage:
                    made.add_module("pool", TokenPooling(widths[stage - 1], wide, grid))
                    grid = (math.ceil(grid[0] / 2), math.ceil(grid[1] / 2))
                for k in range(blocks):
                    feed = FeedForward(wide, 4 * wide, activation)
                    block = PreNormBlock(SelfAttention(wide, split), feed, wide, next(rates), dropout)
                    made.add_module(f"block{k}", block)
                yield made

        neck = nn.Sequential(nn.LayerNorm(widths[-1], EPS), FirstToken())
        super().__init__(stem, stages(), neck, widths[-1], num_classes)
