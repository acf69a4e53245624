"""Criss-cross attention: a position sees its row and its column, and after two turns the whole map."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .gate import between


@method(
    "ccnet",
    year=2018,
    paper="arXiv:1811.11721",
    aliases=("criss_cross_attention",),
    topics=("vision", "segmentation"),
    tiny={"channels": 4},
)
class CrissCrossAttention(nn.Module):
    r"""CCNet (criss-cross attention): a position attends to the H + W - 1 of its row and column.

    $x + \gamma y$ with $y_i = \sum_j \mathrm{softmax}_j(q_i · k_j) v_j$; q and k are 1×1 convolutions to
    channels / `reduction`. It is done `recurrence` times over with the same weights: after two turns each
    position has met all. γ starts at 0. A table has H W (H + W) numbers where full attention has (H W)².
    Shapes: (batch, channels, height, width) -> the same. Raises UsageError for a recurrence below 1.
    """

    def __init__(self, channels: int, reduction: int = 8, recurrence: int = 2):
        super().__init__()
        if recurrence < 1:
            raise UsageError(f"recurrence={recurrence} must be 1 or more")
        inner, self.recurrence = between(channels, reduction), recurrence
        self.query, self.key = nn.Conv2d(channels, inner, 1), nn.Conv2d(channels, inner, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(()))

    def crossed(self, x: Tensor) -> Tensor:
        """What each position is given of its row and column."""
        q, k, v = self.query(x), self.key(x), self.value(x)
        across = torch.einsum("bchw,bchj->bhwj", q, k)
        down = torch.einsum("bchw,bciw->bhwi", q, k)
        # A position stands in its row already, so its column leaves it out.
        itself = torch.eye(x.shape[2], dtype=torch.bool, device=x.device)[:, None]
        shares = torch.cat((down.masked_fill(itself, -torch.inf), across), 3).softmax(3)
        column, row = shares.split((x.shape[2], x.shape[3]), 3)
        return torch.einsum("bciw,bhwi->bchw", v, column) + torch.einsum("bchj,bhwj->bchw", v, row)

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.recurrence):
            x = x + self.gamma * self.crossed(x)
        return x
