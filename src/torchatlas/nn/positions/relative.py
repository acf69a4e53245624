"""Relative positions that queries and keys look at: Shaw's, Transformer-XL's and DeBERTa's."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .scored import AbstractScoredPosition, distances, from_farthest, shifted
from .sinusoidal import waves


@method(
    "shaw_rpe",
    year=2018,
    paper="arXiv:1803.02155",
    topics=("language",),
    tiny={"head_width": 4, "max_distance": 2},
)
class ShawRelative(AbstractScoredPosition):
    r"""Shaw's relative positions: a learned vector per distance joins keys and values alike.

    $e_{ij} = q_i · (k_j + a_{c(j-i)}) / \sqrt d$ and $z_i = \sum_j \mathrm{softmax}(e)_{ij} (v_j +
    a'_{c(j-i)})$, c the distance clipped to ± max_distance. The bias is the part with a; `attend` adds that
    with a' (left out with values=False). All heads share the vectors.
    Shapes: q (batch, heads, n, d), k (batch, heads, m, d) -> (batch, heads, n, m). Raises UsageError for a
    max_distance below 1.
    """

    def __init__(self, head_width: int, max_distance: int = 16, values: bool = True):
        super().__init__()
        if max_distance < 1:
            raise UsageError(f"max_distance={max_distance} must be 1 or more")
        self.max_distance = max_distance
        std = head_width**-0.5
        self.keys = nn.Parameter(std * torch.randn(2 * max_distance + 1, head_width))
        self.values = nn.Parameter(std * torch.randn(2 * max_distance + 1, head_width)) if values else None

    def _which(self, q: Tensor, k: Tensor) -> Tensor:  # -> (b, h, n, m)
        which = distances(q, k).clamp(-self.max_distance, self.max_distance) + self.max_distance
        return which.expand(*q.shape[:2], -1, -1)

    def forward(self, q: Tensor, k: Tensor) -> Tensor:
        every = self.scale(q.shape[-1]) * (q @ self.keys.mT)  # (b, h, n, 2c + 1)
        return every.gather(-1, self._which(q, k))

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attention, with the values' vectors where there are any."""
        if self.values is None:
            return super().attend(q, k, v, mask)
        shares = self.shares(q, k, mask)
        each = shares.new_zeros(*shares.shape[:-1], len(self.values))
        each = each.scatter_add(-1, self._which(q, k), shares)  # how much falls on each distance
        return shares @ v + each.to(v.dtype) @ self.values


@method(
    "xlnet_rpe",
    year=2019,
    paper="arXiv:1901.02860",
    aliases=("transformer_xl_rpe",),
    topics=("language",),
    tiny={"heads": 2, "head_width": 4},
)
class TransformerXLRelative(AbstractScoredPosition):
    r"""Transformer-XL's relative positions (XLNet's too): keys made of sinusoids, and queries of their own.

    $(q_i + u) · k_j + (q_i + v) · W R_{i-j}$, all over $\sqrt d$: R is the sinusoidal vector of a distance,
    sines first and cosines after them; W a map of its own, without bias; u and v learned, one of each per
    head. width: of R, heads times head_width unless it is said.
    Shapes: q (batch, heads, n, d), k (batch, heads, m, d) -> (batch, heads, n, m). Raises UsageError for an
    odd width.
    """

    def __init__(self, heads: int, head_width: int, width: int | None = None):
        super().__init__()
        self.width = heads * head_width if width is None else width
        if self.width % 2:
            raise UsageError(f"width={self.width} must be even: sines and cosines come in pairs")
        self.u, self.v = (nn.Parameter(0.02 * torch.randn(heads, 1, head_width)) for _ in range(2))
        self.weight = nn.Parameter(self.width**-0.5 * torch.randn(heads, self.width, head_width))

    def forward(self, q: Tensor, k: Tensor) -> Tensor:
        behind = -from_farthest(q, k).to(torch.promote_types(q.dtype, torch.float32))  # i - j
        both = waves(behind, self.width).unflatten(1, (-1, 2))  # (n + m, width / 2, 2)
        keys = both.mT.flatten(1).to(self.weight.dtype) @ self.weight  # (h, n + m, d)
        by_place = shifted((q + self.v) @ keys.mT, k.shape[-2])
        return self.scale(q.shape[-1]) * (by_place + self.u @ k.mT)


@method(
    "deberta_rpe",
    year=2020,
    paper="arXiv:2006.03654",
    aliases=("disentangled_rpe",),
    topics=("language",),
    tiny={"heads": 2, "head_width": 4, "max_distance": 3},
    variants={"deberta_rpe_paper": {"index": "paper"}},
)
class DisentangledRelative(AbstractScoredPosition):
    r"""DeBERTa's disentangled positions: content looks at places, and places look at content.

    $q_i · k_j + q_i · K_{\delta(i,j)} + k_j · Q_{\delta(i,j)}$, all over $\sqrt{3 d}$, with K and Q learned
    maps (without and with a bias) of one learned table P of 2 max_distance rows, and $\delta(i,j) =
    \min(\max(i - j + k, 0), 2k - 1)$. index: which row of Q is taken: "code" is δ(i, j), as in the released
    code; "paper" δ(j, i), as in the paper's equation. In DeBERTa all layers share P; assign one module's
    `table` to the others for that.
    Shapes: q (batch, heads, n, d), k (batch, heads, m, d) -> (batch, heads, n, m). Raises UsageError for
    another index, and a max_distance below 1.
    """

    def __init__(
        self,
        heads: int,
        head_width: int,
        max_distance: int = 512,
        width: int | None = None,
        index: str = "code",
    ):
        super().__init__()
        if max_distance < 1:
            raise UsageError(f"max_distance={max_distance} must be 1 or more")
        if index not in ("code", "paper"):
            raise UsageError(f"there is no index={index!r}: say code or paper")
        inner = heads * head_width
        width = inner if width is None else width
        self.heads, self.max_distance, self.index = heads, max_distance, index
        self.table = nn.Parameter(0.02 * torch.randn(2 * max_distance, width))
        self.key, self.query = nn.Linear(width, inner, bias=False), nn.Linear(width, inner)

    def scale(self, width: int) -> float:
        r"""$1 / \sqrt{3 d}$: three terms are added."""
        return (3 * width) ** -0.5

    def forward(self, q: Tensor, k: Tensor) -> Tensor:
        ahead = distances(q, k)  # j - i
        span = min(k.shape[-2], self.max_distance)  # farther rows of the table are not met
        table = self.table[self.max_distance - span : self.max_distance + span]
        keys, queries = (
            f(table).unflatten(1, (self.heads, -1)).transpose(0, 1) for f in (self.key, self.query)
        )
        delta, back = ((way + span).clamp(0, 2 * span - 1) for way in (-ahead, ahead))
        shape = q.shape[:2]
        to_place = (q @ keys.mT).gather(-1, delta.expand(*shape, -1, -1))
        from_place = k @ queries.mT  # (b, h, m, 2 span)
        rows = (delta if self.index == "code" else back).mT.expand(*shape, -1, -1)
        return self.scale(q.shape[-1]) * (to_place + from_place.gather(-1, rows).mT)
