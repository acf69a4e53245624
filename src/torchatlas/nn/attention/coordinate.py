"""Coordinate attention: weights for each row and for each column."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from .gate import AbstractGate, between


@method("coord_attention", year=2021, paper="arXiv:2103.02907", topics=("vision",), tiny={"channels": 4})
class CoordinateAttention(AbstractGate):
    r"""Coordinate attention: a channel's weight at a position is one of its row times one of its column.

    The means of rows and of columns stand side by side and go through one 1×1 convolution to channels /
    `reduction` (8 at least), batch normalisation and hard swish; parted again, a 1×1 convolution each and σ
    give $x · g_i^{row} · g_j^{column}$.
    Shapes: (batch, channels, height, width) -> the same.
    """

    def __init__(self, channels: int, reduction: int = 32):
        super().__init__()
        hidden = between(channels, reduction, 8)
        self.reduce = nn.Sequential(nn.Conv2d(channels, hidden, 1), nn.BatchNorm2d(hidden), nn.Hardswish())
        self.rows, self.columns = nn.Conv2d(hidden, channels, 1), nn.Conv2d(hidden, channels, 1)

    def gate(self, x: Tensor) -> Tensor:
        """(b, c, h, w)."""
        means = torch.cat((x.mean(3), x.mean(2)), 2)[..., None]  # (b, c, h + w, 1)
        rows, columns = self.reduce(means).split((x.shape[2], x.shape[3]), 2)
        down, across = self.rows(rows).sigmoid(), self.columns(columns).sigmoid()
        return down * across.transpose(2, 3)
