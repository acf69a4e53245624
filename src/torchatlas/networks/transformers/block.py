"""What transformers are made of: attention that looks back only, the feed-forward part, and their block."""

from collections.abc import Callable
from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from ...engine.errors import UsageError
from ...nn.choosing import Choice, chosen

Maker = Callable[[], nn.Module]


class CausalSelfAttention(nn.Module):
    r"""Attention of several heads to a position and those before it: $\mathrm{softmax}(QK^T / \sqrt{d_h}) V$.

    One affine map gives queries, keys and values, in this order; another joins the heads.
    Shapes: (batch, length, width) -> the same. Raises UsageError where heads do not divide the width.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0):
        super().__init__()
        if width % heads:
            raise UsageError(f"width={width} must be a multiple of heads={heads}")
        self.heads, self.dropout = heads, dropout
        self.inward, self.outward = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:  # (b, t, d) -> (b, t, d)
        parts = self.inward(x).unflatten(2, (3, self.heads, -1))  # (b, t, 3, h, d/h)
        q, k, v = parts.permute(2, 0, 3, 1, 4)  # each (b, h, t, d/h)
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=dropout)
        return self.outward(mixed.transpose(1, 2).flatten(2))


class FeedForward(nn.Sequential):
    """The network for each position: an affine map to `hidden`, an activation, and one back."""

    def __init__(self, width: int, hidden: int, activation: Choice):
        middle = chosen(activation, hidden, dim=-1)
        super().__init__(nn.Linear(width, hidden), middle, nn.Linear(hidden, width))


class PostNormBlock(nn.Module):
    """Two parts, each added to what it was given and the sum normalised: x ← norm(x + dropout(part(x)))."""

    def __init__(self, attention: nn.Module, feed: nn.Module, norm: Maker, dropout: float):
        super().__init__()
        self.attention, self.feed = attention, feed
        self.norm1, self.norm2 = norm(), norm()
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:  # (b, t, d) -> (b, t, d)
        x = self.norm1(x + self.dropout(self.attention(x)))
        return self.norm2(x + self.dropout(self.feed(x)))


def post_norm_blocks(
    layers: int,
    width: int,
    heads: int,
    activation: Choice,
    dropout: float,
    attention_dropout: float = 0.0,
) -> list[PostNormBlock]:
    """Blocks of one width, with layer normalisation and a feed-forward part four times as wide."""
    return [
        PostNormBlock(
            CausalSelfAttention(width, heads, attention_dropout),
            FeedForward(width, 4 * width, activation),
            partial(nn.LayerNorm, width),
            dropout,
        )
        for _ in range(layers)
    ]
