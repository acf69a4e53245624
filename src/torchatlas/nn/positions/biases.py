"""Biases that know nothing but the distance: T5's and ALiBi's; and what URPE adds to any."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...cards.reader import create
from ...engine.errors import UsageError
from ..normalization.batch import wide
from .scored import AbstractScoredPosition, by_distance, distances, from_farthest, queries_behind


def bucketed(farthest: int, count: int, exact: int) -> list[int]:
    r"""The bucket of each distance 0, 1, …, farthest: `exact` of their own, the rest in powers.

    $b = e + \lfloor \log(d / e) / \log(f / e) (c - e) \rfloor$, by whole numbers: $d^{c-e} \geq e^{c-e-t}
    f^t$.
    """
    found, more = list(range(min(exact, farthest + 1))), count - exact
    for d in range(exact, farthest + 1):
        t = max(t for t in range(more + 1) if d**more >= exact ** (more - t) * farthest**t)
        found.append(min(exact + t, count - 1))
    return found


@method(
    "t5_rpe",
    year=2019,
    paper="arXiv:1910.10683",
    aliases=("t5_bias",),
    topics=("language",),
    tiny={"heads": 2, "buckets": 8, "max_distance": 16},
)
class T5Bias(AbstractScoredPosition):
    r"""T5's relative bias: a learned number per head and bucket of distances; products are not scaled.

    $b_{ij} = w_{h, B(j - i)}$. Half of the buckets are for single distances from 0 on, the others grow in
    powers up to max_distance, from which on all share the last. Both ways (`bidirectional`, as in encoders)
    keys ahead have one half of all buckets, the others the other; else, as in decoders, keys ahead count as
    distance 0. The scale of products is 1. One such module serves all layers.
    Shapes: q (batch, heads, n, d), k (batch, heads, m, d) -> (heads, n, m). Raises UsageError where
    buckets are no multiple of 4 (of 2 one way), or max_distance is within the single distances.
    """

    places: Tensor

    def __init__(self, heads: int, buckets: int = 32, max_distance: int = 128, bidirectional: bool = True):
        super().__init__()
        count = buckets // 2 if bidirectional else buckets
        if buckets % (4 if bidirectional else 2) or count < 2 or max_distance <= count // 2:
            raise UsageError(
                f"buckets={buckets} must be a multiple of {4 if bidirectional else 2}, and max_distance="
                f"{max_distance} above {count // 2}, the distances with buckets of their own"
            )
        self.max_distance, self.bidirectional = max_distance, bidirectional
        self.weight = nn.Parameter(torch.randn(heads, buckets))
        behind = bucketed(max_distance, count, count // 2)  # of distances 0, 1, …
        ahead = [count + b for b in behind] if bidirectional else [0] * len(behind)
        places = torch.tensor([*behind[:0:-1], behind[0], *ahead[1:]])  # from -max_distance to max_distance
        self.register_buffer("places", places, persistent=False)

    def scale(self, width: int) -> float:
        """1."""
        return 1.0

    def forward(self, q: Tensor, k: Tensor) -> Tensor:
        far = from_farthest(q, k).clamp(-self.max_distance, self.max_distance)
        values = self.weight.index_select(1, self.places[far + self.max_distance])  # (h, n + m)
        return by_distance(values, q.shape[-2], k.shape[-2])


def slopes_of(heads: int) -> list[float]:
    r"""ALiBi's slopes: $2^{-8h/n}$, h = 1 to n, for a power of two; else every second of the next too."""
    whole = 1 << (heads.bit_length() - 1)
    found = [2.0 ** (-8 * h / whole) for h in range(1, whole + 1)]
    return found + [2.0 ** (-4 * h / whole) for h in range(1, 2 * whole, 2)][: heads - whole]


@method("alibi", year=2021, paper="arXiv:2108.12409", topics=("language",), tiny={"heads": 2})
class ALiBi(AbstractScoredPosition):
    r"""ALiBi: scores fall evenly with distance, $b_{ij} = -a_h |i - j|$, and nothing is learned.

    $a_h = 2^{-8h/n}$ for n heads, n a power of two; for other numbers those of the next smaller power, and
    then every second slope of the next larger. The paper's attention looks back only; keys ahead are treated
    alike here.
    Shapes: q (batch, heads, n, d), k (batch, heads, m, d) -> (heads, n, m). Raises UsageError for no heads.
    """

    slopes: Tensor

    def __init__(self, heads: int):
        super().__init__()
        if heads < 1:
            raise UsageError(f"heads={heads} must be 1 or more")
        self.register_buffer("slopes", torch.tensor(slopes_of(heads)), persistent=False)

    def forward(self, q: Tensor, k: Tensor) -> Tensor:
        return (-wide(self.slopes)[:, None, None] * distances(q, k).abs()).to(q.dtype)


@method(
    "urpe",
    year=2022,
    paper="arXiv:2205.13401",
    topics=("language",),
    tiny={"heads": 2, "context": 12},
)
class URPE(AbstractScoredPosition):
    r"""URPE (universal relative positions): a bias B, and factors by distance after softmax.

    $(\mathrm{softmax}(A + B) ⊙ C) V$ with A the scaled products of queries and keys. $C_{ij} = c_{h, j-i}$
    is learned for each head and starts at 1. Rows need not sum to 1 any more, so attention can tell places
    apart even where all tokens are alike, which no bias alone can. bias: the name of the positions that give
    B, which take `heads`.
    Shapes: q (batch, heads, n, d), k (batch, heads, m, d) -> B; `attend` adds C. Raises UsageError for more
    keys than the context.
    """

    def __init__(self, heads: int, context: int, bias: str = "t5_rpe"):
        super().__init__()
        if context < 1:
            raise UsageError(f"context={context} must be 1 or more")
        inner = create(bias, heads=heads)
        if not isinstance(inner, AbstractScoredPosition):
            raise UsageError(f"bias={bias!r} gives no bias to scores")
        self.bias, self.context = inner, context
        self.weight = nn.Parameter(torch.ones(heads, 2 * context - 1))

    def scale(self, width: int) -> float:
        """That of the bias."""
        return self.bias.scale(width)

    def forward(self, q: Tensor, k: Tensor) -> Tensor:
        bias: Tensor = self.bias(q, k)
        return bias

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attention whose weights are multiplied by C."""
        return (self.shares(q, k, mask) * self.factors(q, k)) @ v

    def factors(self, q: Tensor, k: Tensor) -> Tensor:  # -> (h, n, m)
        """C for these queries and keys."""
        n, m = q.shape[-2], k.shape[-2]
        queries_behind(q, k)
        if m > self.context:
            raise UsageError(f"{m} keys are more than the context of {self.context}")
        middle = self.context - 1  # where distance 0 stands
        return by_distance(self.weight[:, middle - (m - 1) : middle + n], n, m)
