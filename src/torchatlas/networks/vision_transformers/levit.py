"""LeViT: a fast vision transformer with a convolutional stem and attention that shrinks the map."""

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.choosing import Choice, chosen
from ...nn.regularization.stochastic_depth import StochasticDepth
from ..image import KeyMap, Size, is_small
from ..layers import conv_norm
from .tokens import PAPER_SIZE, AbstractTokenNetwork, MeanToken, refuse_other_sizes

VALUES, SHRINKING_VALUES = 2, 4  # how many times wider than keys values are
FEED = 2  # how many times wider than tokens the feed-forward part is

KEYS_TIMM: KeyMap = (
    *((rf"^stem\.conv{k + 1}\.", f"stem.{k}.") for k in range(4)),
    (r"^head\.bn\.", "head.0.0."),
    (r"^head\.linear\.", "head.0.1."),
    (r"^head_dist\.bn\.", "head.1.0."),
    (r"^head_dist\.linear\.", "head.1.1."),
    (r"\.downsample\.attn_downsample\.", ".shrink."),
    (r"\.downsample\.mlp\.", ".feed.part."),
    (r"\.blocks\.(\d+)\.attn\.", r".block\1.0.part."),
    (r"\.blocks\.(\d+)\.mlp\.", r".block\1.1.part."),
    (r"\.attention_biases$", ".bias"),
    (r"\.(qkv|kv)\.", ".inward."),
    (r"\.q\.ln\.", ".asking."),
    (r"\.proj\.ln\.", ".outward.1."),
    (r"\.ln1\.", ".0."),
    (r"\.ln2\.", ".2."),
    (r"\.linear\.", ".0."),
    (r"\.bn\.", ".1."),
)


class DenseNorm(nn.Sequential):
    """A linear map, then batch normalisation whose gains start at `gain`: (b, n, d) -> (b, n, d')."""

    def __init__(self, width: int, wider: int, gain: float = 1.0):
        norm = nn.BatchNorm1d(wider)
        nn.init.constant_(norm.weight, gain)
        super().__init__(nn.Linear(width, wider, bias=False), norm)

    def forward(self, x: Tensor) -> Tensor:
        y = self[0](x)
        normed: Tensor = self[1](y.flatten(0, 1)).view(y.shape)
        return normed


class Stem(nn.Sequential):
    """Four 3×3 convolutions, from an eighth of the width to all of it, and their map as tokens.

    The last `halvings` of them halve the map. `grid` is how many tokens there are, rows and columns.
    Shapes: (batch, in_channels, *size) -> (batch, rows · columns, width). Raises UsageError for images of
    another size.
    """

    def __init__(self, in_channels: int, width: int, size: Size, halvings: int, activation: Choice):
        widths = (in_channels, width // 8, width // 4, width // 2, width)
        super().__init__(
            *(
                conv_norm(
                    widths[k],
                    widths[k + 1],
                    3,
                    2 if k >= 4 - halvings else 1,
                    activation=activation if k < 3 else None,
                )
                for k in range(4)
            )
        )
        self.size, self.grid = size, size
        for _ in range(halvings):
            self.grid = _half(self.grid)

    def forward(self, x: Tensor) -> Tensor:
        refuse_other_sizes(x, self.size)
        return super().forward(x).flatten(2).mT


def _half(size: Size) -> Size:
    return (size[0] + 1) // 2, (size[1] + 1) // 2


class BiasedAttention(nn.Module):
    r"""Attention with a learned bias for each distance: $\mathrm{softmax}(QK^T / \sqrt{d_k} + B) V$.

    B depends on the head and on how many rows and columns lie between two tokens, to whichever side.
    Queries and keys are `key` wide, values `value`; φ and a normalised map join the heads. With a `step` of 2
    every second row and column asks, by queries from a map of their own, and the map shrinks.
    Shapes: (batch, rows · columns, width) -> (batch, ⌈rows/step⌉ · ⌈columns/step⌉, wider).
    """

    where: Tensor

    def __init__(
        self,
        width: int,
        wider: int,
        heads: int,
        key: int,
        value: int,
        grid: Size,
        activation: Choice,
        gain: float = 1.0,
        step: int = 1,
    ):
        super().__init__()
        self.heads, self.grid, self.step = heads, grid, step
        self.parts = (key, value) if step > 1 else (key, key, value)
        self.inward = DenseNorm(width, heads * sum(self.parts))
        self.asking = DenseNorm(width, heads * key) if step > 1 else None
        joined = heads * value
        self.outward = nn.Sequential(chosen(activation, joined, -1), DenseNorm(joined, wider, gain))
        self.bias = nn.Parameter(torch.zeros(heads, grid[0] * grid[1]))
        down, across = (
            (torch.arange(0, side, step)[:, None] - torch.arange(side)).abs() for side in grid
        )  # (⌈side/step⌉, side)
        where = grid[1] * down[:, None, :, None] + across[None, :, None, :]
        self.register_buffer("where", where.flatten(2).flatten(0, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        parts = self._by_head(self.inward(x)).split(self.parts, -1)  # (b, h, n, …) each
        if self.asking is not None:
            few = x.unflatten(1, self.grid)[:, :: self.step, :: self.step].flatten(1, 2)
            parts = (self._by_head(self.asking(few)), *parts)
        q, k, v = parts
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=self.bias[:, self.where])
        joined: Tensor = self.outward(mixed.transpose(1, 2).flatten(2))
        return joined

    def _by_head(self, x: Tensor) -> Tensor:  # (b, n, h · d) -> (b, h, n, d)
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class Added(nn.Module):
    """A part added to what it was given, and left out in training at the rate `drop_path`."""

    def __init__(self, part: nn.Module, drop_path: float):
        super().__init__()
        self.part, self.drop = part, StochasticDepth(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = x + self.drop(self.part(x))
        return added


def _feed(width: int, activation: Choice, gain: float) -> nn.Sequential:
    within = FEED * width
    middle = chosen(activation, within, -1)
    return nn.Sequential(DenseNorm(width, within), middle, DenseNorm(within, width, gain))


class Heads(nn.ModuleList):
    """Two heads, batch normalisation before each, for classes and for a teacher's choices: their mean."""

    def __init__(self, features: int, num_classes: int):
        super().__init__(
            nn.Sequential(nn.BatchNorm1d(features), nn.Linear(features, num_classes)) for _ in range(2)
        )

    def forward_all(self, x: Tensor) -> list[Tensor]:
        """What each head says."""
        return [head(x) for head in self]

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack(self.forward_all(x)).mean(0)


@method(
    "levit_256",
    year=2021,
    paper="arXiv:2104.01136",
    aliases=("levit",),
    topics=("classification", "distillation", "vision"),
    recipe={
        "optimizer": "adamw",
        "optimizer.weight_decay": 0.025,
        "lr": 0.001,
        "schedule": "lr_cosine",
        "batch_size": 128,
        "epochs": 30,
    },
    tiny={
        "num_classes": 3,
        "in_channels": 1,
        "input_size": (12, 12),
        "layers": (1, 1),
        "widths": (16, 24),
        "heads": (2, 3),
        "key_width": 8,
        "gain": 1.0,
    },
    figures={"parameters": 18_893_876, "multiply_adds": 1_127_257_344},
    variants={
        "levit_128s": {
            "layers": (2, 3, 4),
            "widths": (128, 256, 384),
            "key_width": 16,
            "figures": {"parameters": 7_777_058, "multiply_adds": 304_660_832},
        },
        "levit_128": {
            "widths": (128, 256, 384),
            "heads": (4, 8, 12),
            "key_width": 16,
            "figures": {"parameters": 9_213_936, "multiply_adds": 405_321_728},
        },
        "levit_192": {
            "widths": (192, 288, 384),
            "heads": (3, 5, 6),
            "figures": {"parameters": 10_947_069, "multiply_adds": 657_022_080},
        },
        "levit_384": {
            "widths": (384, 512, 768),
            "heads": (6, 9, 12),
            "figures": {"parameters": 39_128_836, "multiply_adds": 2_351_786_880},
        },
    },
)
class LeViT(AbstractTokenNetwork):
    r"""LeViT: four convolutions, then stages of attention with batch norms and with biases for positions.

    $x \leftarrow x + A(x)$, $x \leftarrow x + F(x)$: every linear map is followed by a batch normalisation,
    the activation φ is hard swish, F is twice as wide. Attention knows positions by a bias for each distance
    alone, and its values are twice as wide as its keys. Each stage but the first begins with attention that
    every second row and column asks, without a shortcut, its values four times as wide as its keys, its heads
    as many as keys fit into the width; F follows it. The features are the mean of all tokens.
    There are two heads, and the mean of their logits counts; `forward_all` gives the logits of each, to train
    the second by a teacher's choices, as DeiT is.
    `layers`, `widths` and `heads` tell of each stage, `key_width` is that of each head's queries and keys.
    The last batch norm of what is added starts with gains of `gain`. `drop_path` is the rate of stochastic
    depth, the same for all blocks. For images of 64 pixels and less the first two convolutions do not halve.
    Shapes: (batch, in_channels, *input_size) -> logits (batch, num_classes); only images of this size fit,
    224×224 where none is said.
    Errors: `UsageError` where layers, widths and heads do not tell of as many stages, for a first width that
    is no multiple of 8, and keys that are wider than a stage.
    """

    key_maps: ClassVar[Mapping[str, KeyMap]] = {"timm": KEYS_TIMM}

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        input_size: Size | None = None,
        layers: Sequence[int] = (4, 4, 4),
        widths: Sequence[int] = (256, 384, 512),
        heads: Sequence[int] = (4, 6, 8),
        key_width: int = 32,
        gain: float = 0.0,
        activation: Choice = "hardswish",
        drop_path: float = 0.0,
    ):
        if not len(layers) == len(widths) == len(heads):
            raise UsageError(
                f"layers={tuple(layers)}, widths={tuple(widths)} and heads={tuple(heads)} must tell of as "
                "many stages"
            )
        if widths[0] % 8 or min(widths) < key_width:
            raise UsageError(
                f"widths={tuple(widths)}: the first must be a multiple of 8, and none below "
                f"key_width={key_width}"
            )

        halvings = 2 if is_small(input_size) else 4
        stem = Stem(in_channels, widths[0], input_size or PAPER_SIZE, halvings, activation)

        def stages() -> Iterator[nn.Sequential]:
            grid = stem.grid
            for stage, (blocks, width, split) in enumerate(zip(layers, widths, heads, strict=True)):
                made = nn.Sequential()
                if stage:
                    sizes = (widths[stage - 1] // key_width, key_width, SHRINKING_VALUES * key_width)
                    shrink = BiasedAttention(widths[stage - 1], width, *sizes, grid, activation, step=2)
                    grid = _half(grid)
                    made.add_module("shrink", shrink)
                    made.add_module("feed", Added(_feed(width, activation, gain), drop_path))
                for k in range(blocks):
                    sizes = (split, key_width, VALUES * key_width)
                    attention = BiasedAttention(width, width, *sizes, grid, activation, gain)
                    parts = (attention, _feed(width, activation, gain))
                    made.add_module(f"block{k}", nn.Sequential(*(Added(part, drop_path) for part in parts)))
                yield made

        super().__init__(stem, stages(), MeanToken(), widths[-1], num_classes)

    def make_head(self, num_classes: int) -> nn.Module:
        """Two heads, each with a batch normalisation."""
        return Heads(self.features, num_classes)

    def forward_all(self, x: Tensor) -> list[Tensor]:  # (b, c, h, w) -> (b, k) of each head
        """The logits of each head, the classes' first."""
        features = self.forward_features(x)
        return self.head.forward_all(features) if isinstance(self.head, Heads) else [self.head(features)]
