"""Double attention: features are gathered over the map, and handed out again to its positions."""

from torch import Tensor, nn

from ...cards.card import method
from .gate import between


@method(
    "a2net",
    year=2018,
    paper="arXiv:1810.11579",
    aliases=("double_attention",),
    topics=("vision",),
    tiny={"channels": 4, "reduction": 2},
)
class DoubleAttention(nn.Module):
    r"""A²-Net (double attention): what n attentions gather over the map is handed out to each position.

    $G = A · \mathrm{softmax}(B)^T$, softmax over the positions, holds n features of m channels; $Z = G ·
    \mathrm{softmax}(V)$, softmax over the n, gives each position its mixture. A, B and V are 1×1
    convolutions to channels / `reduction`; one more brings Z back to all channels, and it is added to x.
    Shapes: (batch, channels, height, width) -> the same.
    """

    def __init__(self, channels: int, reduction: int = 4):
        super().__init__()
        inner = between(channels, reduction)
        self.feature, self.gather, self.share = (nn.Conv2d(channels, inner, 1) for _ in range(3))
        self.out = nn.Conv2d(inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        gather = self.gather(x).flatten(2).softmax(2)  # (b, n, h w)
        features = self.feature(x).flatten(2) @ gather.mT  # (b, m, n)
        mixed = features @ self.share(x).flatten(2).softmax(1)  # (b, m, h w)
        added: Tensor = self.out(mixed.unflatten(2, x.shape[2:]))
        return x + added
