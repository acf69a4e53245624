"""Dual attention: positions look at positions, and channels at channels."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from ..normalization.batch import wide
from .gate import between
from .nonlocal_block import tokens


@method("danet", year=2018, paper="arXiv:1809.02983", topics=("vision", "segmentation"), tiny={"channels": 4})
class DualAttention(nn.Module):
    r"""DANet (dual attention): $x + \alpha P + \beta C$, attention among positions and among channels.

    P: softmax of $q_i · k_j$ over the positions j mixes values; q and k are 1×1 convolutions to channels /
    `reduction`, values one to all channels. C: the products of all channels with each other, $E = X X^T$, and
    softmax over j of $\max_j E_{ij} - E_{ij}$: channels that differ from i count most; it mixes the map's own
    channels. α and β start at 0. Where the paper has two branches with a sum each, here they share one x.
    Shapes: (batch, channels, height, width) -> the same.
    """

    def __init__(self, channels: int, reduction: int = 8):
        super().__init__()
        inner = between(channels, reduction)
        self.query, self.key = nn.Conv2d(channels, inner, 1), nn.Conv2d(channels, inner, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.alpha, self.beta = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))

    def among_positions(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c, h w)
        """P."""
        shares = (tokens(self.query(x)) @ self.key(x).flatten(2)).softmax(2)  # (b, n, n)
        return self.value(x).flatten(2) @ shares.mT

    def among_channels(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c, h w)
        """C. Softmax takes no notice of the row's largest number, so the sign alone is turned."""
        rows = wide(x.flatten(2))
        with torch.autocast(x.device.type, enabled=False):  # sums over the map overflow half precision
            shares = (-(rows @ rows.mT)).softmax(2)
        return shares.to(x.dtype) @ x.flatten(2)

    def forward(self, x: Tensor) -> Tensor:
        added = self.alpha * self.among_positions(x) + self.beta * self.among_channels(x)
        return x + added.view_as(x)
