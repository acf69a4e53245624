"""What networks of tokens share: patches, attention among tokens, blocks that norm first, and the frame."""

from collections.abc import Iterable
from typing import Self

import torch.nn.functional as F
from torch import Tensor, nn

from ...engine.errors import UsageError
from ...nn.regularization.stochastic_depth import StochasticDepth
from ..image import AbstractStagedNetwork, Size, is_small

PAPER_SIZE = (224, 224)
EPS = 1e-6  # of the papers' layer normalisations


def refuse_other_sizes(x: Tensor, size: Size) -> None:
    """Raises UsageError for images of another size than a network was built for."""
    if x.shape[2:] != size:
        raise UsageError(
            f"images of {x.shape[2]}×{x.shape[3]} for a network that was built for {size[0]}×{size[1]}: say "
            f"input_size={tuple(x.shape[2:])}"
        )


class Patches(nn.Module):
    """An image cut into squares, each mapped to a token: a convolution whose stride is its kernel.

    A `patch_size` of None is 16, and 4 for small images (64 pixels and less). `grid` is how many patches
    there are, rows and columns.
    Shapes: (batch, in_channels, *input_size) -> (batch, rows · columns, width). Raises UsageError where
    patches do not fill the image, and for images of another size.
    """

    def __init__(self, in_channels: int, width: int, input_size: Size | None, patch_size: int | None):
        super().__init__()
        side = patch_size or (4 if is_small(input_size) else 16)
        self.size = input_size or PAPER_SIZE
        self.grid = (self.size[0] // side, self.size[1] // side)
        if any(pixels % side for pixels in self.size):
            raise UsageError(
                f"patches of {side}×{side} do not fill images of {self.size[0]}×{self.size[1]}: say "
                "a patch_size that divides both sides, or another input_size"
            )
        self.conv = nn.Conv2d(in_channels, width, side, side)

    def forward(self, x: Tensor) -> Tensor:
        refuse_other_sizes(x, self.size)
        return self.conv(x).flatten(2).mT


class SelfAttention(nn.Module):
    r"""Attention of several heads among all tokens: $\mathrm{softmax}(QK^T / \sqrt{d_h}) V$.

    One affine map gives queries, keys and values, in this order; another joins the heads.
    Shapes: (batch, n, width) -> the same. Raises UsageError where heads do not divide the width.
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        if width % heads:
            raise UsageError(f"width={width} must be a multiple of heads={heads}")
        self.heads = heads
        self.inward, self.outward = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def attend(self, x: Tensor, bias: Tensor | None = None) -> Tensor:  # (b, …, n, d) -> (b, …, n, d)
        """Attention with a bias on its scores, if any: ([…,] heads, n, n)."""
        parts = self.inward(x).unflatten(-1, (3, self.heads, -1))  # (b, …, n, 3, h, d/h)
        each = parts.movedim(-3, 0).transpose(-3, -2)  # (3, b, …, h, n, d/h)
        groups, n = each.shape[2:-2], each.shape[-2]
        if bias is not None:
            bias = bias.expand(*groups, n, n).flatten(0, -3)
        q, k, v = each.flatten(2, -3)  # (b, … · h, n, d/h): ONNX's attention knows four dimensions
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias).unflatten(1, groups)
        return self.outward(mixed.transpose(-3, -2).flatten(-2))

    def forward(self, x: Tensor) -> Tensor:  # (b, n, d) -> (b, n, d)
        return self.attend(x)


class PreNormBlock(nn.Module):
    """Two parts, each given the normalised sum so far and added to it: x ← x + part(norm(x)).

    `mixing` brings tokens together, `feed` treats each by itself. `drop_path` is the rate at which training
    leaves a part out, `dropout` the share of what it gives that is dropped.
    Shapes: (batch, …, width) -> the same.
    """

    def __init__(
        self,
        mixing: nn.Module,
        feed: nn.Module,
        width: int,
        drop_path: float = 0.0,
        dropout: float = 0.0,
        eps: float = EPS,
    ):
        super().__init__()
        self.norm1, self.mixing = nn.LayerNorm(width, eps), mixing
        self.norm2, self.feed = nn.LayerNorm(width, eps), feed
        drops = [nn.Dropout(dropout)] if dropout else []
        self.drop = nn.Sequential(*drops, *([StochasticDepth(drop_path)] if drop_path else []))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop(self.mixing(self.norm1(x)))
        return x + self.drop(self.feed(self.norm2(x)))


class FirstToken(nn.Module):
    """The first token of each image, or the first few: (b, n, d) -> (b, d), or (b, count, d)."""

    def __init__(self, count: int = 1):
        super().__init__()
        self.count = count

    def forward(self, x: Tensor) -> Tensor:
        return x[:, 0] if self.count == 1 else x[:, : self.count]


class MeanToken(nn.Module):
    """The mean of all tokens: (b, n, d) -> (b, d)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(1)


class AbstractTokenNetwork(AbstractStagedNetwork):
    """A network of tokens: its stem makes them, its stages are blocks, between which stand (b, n, d)."""

    def __init__(
        self, stem: nn.Module, blocks: Iterable[nn.Module], neck: nn.Module, features: int, num_classes: int
    ):
        super().__init__(stem, blocks, neck, features, num_classes)
        start(self)

    def reset_head(self, num_classes: int) -> Self:
        """A fresh head for so many classes; none for 0. It lies where the weights lie."""
        super().reset_head(num_classes)
        start(self.head)
        return self


def start(network: nn.Module) -> None:
    """Affine maps start as cut normal numbers of deviation 0.02, patches by their fan in, biases at zero."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            std = 0.02 if isinstance(module, nn.Linear) else module.weight[0].numel() ** -0.5
            nn.init.trunc_normal_(module.weight, std=std, a=-2 * std, b=2 * std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
