"""Vector attention: a position weighs its neighbours channel by channel, by what sets them apart."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ..convolutions.windows import Size, Window, around, odd
from .gate import between, one_of


@method(
    "san_sa",
    year=2020,
    paper="arXiv:2004.13621",
    aliases=("san", "pairwise_self_attention"),
    topics=("vision",),
    tiny={"channels": 4, "kernel_size": 3, "share": 2},
    variants={"san_patchwise": {"form": "patchwise"}},
)
class VectorAttention(nn.Module):
    r"""SAN's vector self-attention: a position's neighbours, each channel weighed, are added up.

    $y_i = \sum_{j \in R(i)} \alpha_{ij} \odot \beta(x_j)$ with R(i) a window of `kernel_size` around i. β, φ
    and ψ are 1×1 convolutions, the last two to channels / `reduction`. "pairwise": $\alpha_{ij} =
    \mathrm{softmax}_j\, \gamma(\varphi(x_i) - \psi(x_j), p_i - p_j)$, p a linear map of the two coordinates,
    from -1 to 1; no order of the neighbours is known, and those beyond the border have no weight.
    "patchwise": γ sees φ(x_i) and ψ of all neighbours side by side and gives all weights at once, without
    softmax; zeros stand beyond the border. γ is batch normalisation, ReLU, a linear map, and all three again.
    `share` channels have one weight.
    Shapes: (batch, channels, height, width) -> the same. Raises UsageError for an even kernel, another form,
    or channels that share does not divide.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: Size = 7,
        form: str = "pairwise",
        reduction: int = 4,
        share: int = 8,
    ):
        super().__init__()
        kernel = odd(kernel_size, "san_sa")
        self.window, self.share = Window.of(kernel, padding=around(kernel)), share
        self.form, self.count = one_of("form", form, ("pairwise", "patchwise")), kernel[0] * kernel[1]
        if share < 1 or channels % share:
            raise UsageError(f"share={share} must divide channels={channels}")
        inner, weights = between(channels, reduction), channels // share
        self.query, self.key = nn.Conv2d(channels, inner, 1), nn.Conv2d(channels, inner, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        pairs = self.form == "pairwise"
        self.place = nn.Conv2d(2, 2, 1) if pairs else None
        seen = inner + 2 if pairs else inner * (1 + self.count)
        self.weigh = nn.Sequential(
            nn.BatchNorm2d(seen),
            nn.ReLU(),
            nn.Conv2d(seen, inner, 1, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(),
            nn.Conv2d(inner, weights if pairs else weights * self.count, 1),
        )

    def neighbours(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c, k, h w)
        """What lies around each position; zeros beyond the border."""
        return self.window.columns(x).unflatten(1, (x.shape[1], self.count))

    def pairwise(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c / share, k, h w)
        """The weights of each pair."""
        assert self.place is not None
        sides = (torch.linspace(-1, 1, n, dtype=x.dtype, device=x.device) for n in x.shape[2:])
        places = self.place(torch.stack(torch.meshgrid(*sides, indexing="ij"))[None])  # (1, 2, h, w)
        apart = self.query(x).flatten(2)[:, :, None] - self.neighbours(self.key(x))
        ways = places.flatten(2)[:, :, None] - self.neighbours(places)
        scores = self.weigh(torch.cat((apart, ways.expand(len(x), -1, -1, -1)), 1))
        outside = self.neighbours(torch.ones_like(x[:1, :1])) == 0
        shares: Tensor = scores.masked_fill(outside, -torch.inf).softmax(2)
        return shares

    def patchwise(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c / share, k, h w)
        """The weights of each neighbourhood."""
        around = self.neighbours(self.key(x)).flatten(1, 2)  # (b, d k, h w)
        seen = torch.cat((self.query(x).flatten(2), around), 1)[..., None]
        weights: Tensor = self.weigh(seen).squeeze(3).unflatten(1, (-1, self.count))
        return weights

    def forward(self, x: Tensor) -> Tensor:
        weights = (self.pairwise if self.form == "pairwise" else self.patchwise)(x)
        values = self.neighbours(self.value(x)).unflatten(1, (-1, self.share))  # (b, c / s, s, k, h w)
        return (weights[:, :, None] * values).sum(3).flatten(1, 2).unflatten(2, x.shape[2:])
