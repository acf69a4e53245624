"""Polarized self-attention: weights of channels and of positions, each with its own axis kept whole."""

from torch import Tensor, nn

from ...cards.card import method
from .gate import AbstractGate, between, mean_of_map, one_of


class PolarizedChannelGate(AbstractGate):
    r"""Of channels: $\sigma(\mathrm{LN}(W_z(W_v x · s)))$, s = softmax of $W_q x$ over positions."""

    def __init__(self, channels: int):
        super().__init__()
        half = between(channels, 2)
        self.query, self.value = nn.Conv2d(channels, 1, 1), nn.Conv2d(channels, half, 1)
        self.widen, self.norm = nn.Linear(half, channels), nn.LayerNorm(channels)

    def gate(self, x: Tensor) -> Tensor:
        """(b, c, 1, 1)."""
        shares = self.query(x).flatten(2).softmax(2)  # (b, 1, h w)
        seen = (self.value(x).flatten(2) @ shares.mT).squeeze(2)  # (b, c/2)
        scores: Tensor = self.norm(self.widen(seen))
        return scores.sigmoid()[..., None, None]


class PolarizedSpatialGate(AbstractGate):
    r"""Of positions: $\sigma(s · W_v x)$, s the softmax over channels of the means of $W_q x$."""

    def __init__(self, channels: int):
        super().__init__()
        half = between(channels, 2)
        self.query, self.value = nn.Conv2d(channels, half, 1), nn.Conv2d(channels, half, 1)

    def gate(self, x: Tensor) -> Tensor:
        """(b, 1, h, w)."""
        shares = mean_of_map(self.query(x)).softmax(1)
        scores: Tensor = (self.value(x) * shares).sum(1, keepdim=True)
        return scores.sigmoid()


@method(
    "psa_polarized",
    year=2021,
    paper="arXiv:2107.00782",
    aliases=("polarized_self_attention",),
    topics=("vision", "segmentation"),
    tiny={"channels": 4},
    variants={"psa_polarized_sequential": {"order": "sequential"}},
)
class PolarizedSelfAttention(nn.Module):
    r"""Polarized self-attention: a map weighted by channels and by positions, neither axis squeezed too far.

    Channels: $\sigma(\mathrm{LN}(W_z(W_v x · \mathrm{softmax}(W_q x))))$; positions:
    $\sigma(\mathrm{softmax}(m) · W_v x)$ with m the means of $W_q x$ over the map. Half the channels are
    kept inside. order: "parallel" adds the map weighted by channels and the map weighted by positions;
    "sequential" weights by channels first, and what comes out by positions.
    Shapes: (batch, channels, height, width) -> the same. Raises UsageError for another order.
    """

    def __init__(self, channels: int, order: str = "parallel"):
        super().__init__()
        self.order = one_of("order", order, ("parallel", "sequential"))
        self.channel, self.position = PolarizedChannelGate(channels), PolarizedSpatialGate(channels)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.channel(x)
        z: Tensor = self.position(y if self.order == "sequential" else x)
        return z if self.order == "sequential" else y + z
