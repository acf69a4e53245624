"""Global context: one summary of the map, by attention, is added to every position."""

from torch import Tensor, nn

from ...cards.card import method
from .gate import between


@method(
    "gcnet",
    year=2019,
    paper="arXiv:1904.11492",
    aliases=("global_context",),
    topics=("vision",),
    tiny={"channels": 4, "reduction": 2},
)
class GlobalContext(nn.Module):
    r"""GCNet (global context): $x + W_2 \max(0, \mathrm{LN}(W_1 c))$, one summary c for all positions.

    $c = \sum_j \mathrm{softmax}_j(w · x_j) x_j$ over the positions j; W₁ leaves channels / `reduction`. W₂
    starts at 0, so that the block begins as the identity. It is a non-local block whose attention does not
    depend on the position that asks.
    Shapes: (batch, channels, height, width) -> the same.
    """

    def __init__(self, channels: int, reduction: int = 16):
        super().__init__()
        hidden = between(channels, reduction)
        self.score = nn.Conv2d(channels, 1, 1)
        self.transform = nn.Sequential(
            nn.Linear(channels, hidden), nn.LayerNorm(hidden), nn.ReLU(), nn.Linear(hidden, channels)
        )
        last = self.transform[3]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def context(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c)
        """The summary of each map."""
        shares = self.score(x).flatten(2).softmax(2)  # (b, 1, h w)
        return (x.flatten(2) @ shares.mT).squeeze(2)

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = self.transform(self.context(x))
        return x + added[..., None, None]
