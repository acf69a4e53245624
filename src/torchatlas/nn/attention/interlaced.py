"""Interlaced sparse attention: far positions first, then near ones, in place of all pairs."""

import math

import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ..convolutions.windows import Size, pair
from .gate import between
from .nonlocal_block import tokens


class Looks(nn.Module):
    r"""Attention of each position to all, $y_i = \sum_j \mathrm{softmax}_j(q_i · k_j / \sqrt d)\, v_j$."""

    def __init__(self, channels: int, inner: int):
        super().__init__()
        self.query, self.key = (
            nn.Sequential(nn.Conv2d(channels, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU())
            for _ in range(2)
        )
        self.value = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (tokens(f(x)) for f in (self.query, self.key, self.value))
        return F.scaled_dot_product_attention(q, k, v).mT.unflatten(2, x.shape[2:])


@method(
    "isanet",
    year=2019,
    paper="arXiv:1907.12273",
    aliases=("interlaced_sparse_attention",),
    topics=("vision", "segmentation"),
    tiny={"channels": 4, "size": 2},
)
class InterlacedSparseAttention(nn.Module):
    r"""ISA (interlaced sparse self-attention): positions far apart look at each other, then those near by.

    The map is cut into windows of `size`. First the positions at the same place of all windows attend to each
    other, then those of each window; so each has met all, by two tables of $HW (HW / P + P)$ numbers in place
    of one of $(HW)^2$, P positions to a window. Queries and keys are 1×1 convolutions to channels /
    `reduction` with batch normalisation and ReLU, values one to all channels; each of the two attentions has
    its own. Borders of zeros make up whole windows, and take part. In the paper's network the result stands
    beside the map itself.
    Shapes: (batch, channels, height, width) -> the same. Raises UsageError for an empty window.
    """

    def __init__(self, channels: int, size: Size = 8, reduction: int = 2):
        super().__init__()
        self.size = pair(size)
        if min(self.size) < 1:
            raise UsageError(f"size={size} must be 1 or more")
        inner = between(channels, reduction)
        self.far, self.near = Looks(channels, inner), Looks(channels, inner)

    def forward(self, x: Tensor) -> Tensor:
        (h, w), (p, q) = x.shape[2:], self.size
        rows, columns = math.ceil(h / p), math.ceil(w / q)
        top, left = (rows * p - h) // 2, (columns * q - w) // 2
        y = F.pad(x, (left, columns * q - w - left, top, rows * p - h - top))
        y = y.unflatten(3, (columns, q)).unflatten(2, (rows, p))  # (b, c, rows, p, columns, q)
        y = y.permute(0, 3, 5, 1, 2, 4)
        y = self.far(y.flatten(0, 2)).view(y.shape)  # (b, p, q, c, rows, columns)
        y = y.permute(0, 4, 5, 3, 1, 2)
        y = self.near(y.flatten(0, 2)).view(y.shape)  # (b, rows, columns, c, p, q)
        y = y.permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)
        return y[:, :, top : top + h, left : left + w]
