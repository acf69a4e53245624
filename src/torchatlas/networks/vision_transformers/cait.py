"""CaiT: deep vision transformers, whose class token comes late and whose branches start small."""

from collections.abc import Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...nn.choosing import Choice
from ..image import KeyMap, Size
from ..transformers.block import FeedForward
from .tokens import EPS, AbstractTokenNetwork, FirstToken, Patches, PreNormBlock, SelfAttention
from .vit import Tokens, drawn

KEYS_TIMM: KeyMap = (
    (r"^patch_embed\.proj\.", "stem.patches.conv."),
    (r"^pos_embed$", "stem.positions"),
    (r"^blocks\.", "stages.0."),
    (r"^cls_token$", "stages.1.first.token"),
    (r"^blocks_token_only\.(\d+)\.", r"stages.1.block\1."),
    (r"\.attn\.qkv\.", ".mixing.0.inward."),
    (r"\.attn\.proj_l\.", ".mixing.0.before."),
    (r"\.attn\.proj_w\.", ".mixing.0.after."),
    (r"\.attn\.proj\.", ".mixing.0.outward."),
    (r"\.attn\.([qkv])\.", r".mixing.0.\1."),
    (r"\.gamma_1$", ".mixing.1.weight"),
    (r"\.mlp\.fc1\.", ".feed.0."),
    (r"\.mlp\.fc2\.", ".feed.2."),
    (r"\.gamma_2$", ".feed.3.weight"),
    (r"^norm\.", "neck.0."),
)


class LayerScale(nn.Module):
    """Each channel times a number of its own that is learned and starts small: (…, width) -> the same."""

    def __init__(self, width: int, start: float):
        super().__init__()
        self.weight = nn.Parameter(torch.full((width,), start))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


class TalkingHeads(SelfAttention):
    r"""Attention whose heads talk: $A = \mathrm{softmax}(M S + m)$ and $N A + n$ in place of $A$.

    $S$ are the scores $QK^T / \sqrt{d_h}$ of all heads, which the maps M and N, h to h, mix at each pair of
    tokens, before and after the softmax. As this sees no difference, m changes nothing; trained weights have
    it. Shapes: (batch, n, width) -> the same.
    """

    def __init__(self, width: int, heads: int):
        super().__init__(width, heads)
        self.before, self.after = nn.Linear(heads, heads), nn.Linear(heads, heads)

    def forward(self, x: Tensor) -> Tensor:  # (b, n, d) -> (b, n, d)
        parts = self.inward(x).unflatten(-1, (3, self.heads, -1))  # (b, n, 3, h, d/h)
        q, k, v = parts.permute(2, 0, 3, 1, 4)  # each (b, h, n, d/h)
        scores = (q * q.shape[-1] ** -0.5) @ k.mT  # (b, h, n, n)
        shares = _talk(self.after, _talk(self.before, scores).softmax(-1))
        return self.outward((shares @ v).transpose(1, 2).flatten(2))


def _talk(mixed: nn.Linear, maps: Tensor) -> Tensor:  # (b, h, n, n) -> (b, h, n, n)
    return mixed(maps.movedim(1, -1)).movedim(-1, 1)


class ClassToken(nn.Module):
    """A learned token before the others: (b, n, d) -> (b, 1 + n, d)."""

    def __init__(self, width: int):
        super().__init__()
        self.token = drawn(1, width)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((self.token.expand(x.shape[0], -1, -1), x), 1)


class ClassAttention(nn.Module):
    """Attention of the first token to all, itself among them: (batch, n, width) -> (batch, 1, width).

    The keys' bias changes nothing, as the softmax sees no difference; trained weights have it.
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v = (nn.Linear(width, width) for _ in "qkv")
        self.outward = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        each = (self.q(x[:, :1]), self.k(x), self.v(x))
        q, k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in each)  # (b, h, n, d/h)
        return self.outward(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class ClassBlock(PreNormBlock):
    """A block that changes the first token alone, by what it gathers from all: (b, n, d) -> (b, n, d)."""

    def forward(self, x: Tensor) -> Tensor:
        first, others = x[:, :1], x[:, 1:]
        first = first + self.drop(self.mixing(self.norm1(x)))
        first = first + self.drop(self.feed(self.norm2(first)))
        return torch.cat((first, others), 1)


@method(
    "cait_xxs24",
    year=2021,
    paper="arXiv:2103.17239",
    aliases=("cait",),
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
        "patch_size": 2,
        "width": 16,
        "depth": 1,
        "heads": 2,
        "layer_scale": 0.1,
    },
    figures={"parameters": 11_956_264, "multiply_adds": 2_523_475_200},
    variants={
        "cait_xxs36": {
            "depth": 36,
            "layer_scale": 1e-6,
            "figures": {"parameters": 17_299_720, "multiply_adds": 3_755_697_408},
        },
        "cait_xs24": {
            "width": 288,
            "heads": 6,
            "figures": {"parameters": 26_560_648, "multiply_adds": 5_390_354_304},
        },
        "cait_s24": {
            "width": 384,
            "heads": 8,
            "figures": {"parameters": 46_916_200, "multiply_adds": 9_327_327_744},
        },
    },
)
class CaiT(AbstractTokenNetwork):
    r"""CaiT: blocks of patches alone, then blocks in which a class token gathers what it needs from them.

    $x \leftarrow x + \lambda \odot A(\mathrm{norm}(x))$, $x \leftarrow x + \mu \odot F(\mathrm{norm}(x))$:
    LayerScale multiplies each channel of what a branch adds by λ and μ, which are learned and start at
    `layer_scale`, so that deep stacks learn. A is attention with talking heads, F is four times as wide, with
    GELU; `depth` such blocks are the first stage. The second stage puts a class token before the patches,
    which have positions, and it none; its `class_depth` blocks change this token alone, which asks all tokens
    by one query. Its last state, normalised, is the features.
    `layer_scale` is the paper's for 24 blocks; it takes 0.1 up to 18, and 1e-6 for more than 24. `patch_size`
    is 16, or 4 for images of 64 pixels and less. `dropout` falls on the tokens and on what each part adds;
    `drop_path` is the rate of stochastic depth, the same for each block of the first stage.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); only images of this size fit,
    224×224 where none is said.
    Errors: `UsageError` for patches that do not fill the image, and heads that do not divide the width.
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {"timm": KEYS_TIMM}

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        patch_size: int | None = None,
        width: int = 192,
        depth: int = 24,
        heads: int = 4,
        class_depth: int = 2,
        layer_scale: float = 1e-5,
        activation: Choice = "gelu",
        drop_path: float = 0.0,
        dropout: float = 0.0,
    ):
        def scaled(attention: nn.Module) -> tuple[nn.Module, nn.Module, int]:
            feed = FeedForward(width, 4 * width, activation).append(LayerScale(width, layer_scale))
            return nn.Sequential(attention, LayerScale(width, layer_scale)), feed, width

        patches = Patches(in_channels, width, input_size, patch_size)
        blocks = (PreNormBlock(*scaled(TalkingHeads(width, heads)), drop_path, dropout) for _ in range(depth))
        late = nn.Sequential()
        late.add_module("first", ClassToken(width))
        for k in range(class_depth):
            late.add_module(f"block{k}", ClassBlock(*scaled(ClassAttention(width, heads)), dropout=dropout))
        stages = (nn.Sequential(*blocks), late)
        neck = nn.Sequential(nn.LayerNorm(width, EPS), FirstToken())
        super().__init__(Tokens(patches, width, 0, "learned", dropout), stages, neck, width, num_classes)
