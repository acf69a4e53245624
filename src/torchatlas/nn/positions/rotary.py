"""Rotary positions: queries and keys are turned by their place."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .scored import queries_behind
from .sinusoidal import angles


@method(
    "rope",
    year=2021,
    paper="arXiv:2104.09864",
    aliases=("rotary",),
    topics=("language",),
    variants={"rope_halves": {"layout": "halves"}},
)
class RotaryPosition(nn.Module):
    r"""RoPE (rotary positions): pairs of numbers of queries and keys are turned, the farther on the more.

    The pair i at place k is turned by $k b^{-2i/d}$, b = `base`. Lengths stay, and the product of a query
    and a key depends on their places' distance alone; values are left as they are. layout: which numbers are
    a pair: "interleaved" (2i, 2i + 1), as in RoFormer; "halves" (i, i + d/2), as in LLaMA. Where there are
    fewer queries than keys, they are the last ones.
    Shapes: q (…, n, d) and k (…, m, d) -> the same two. Raises UsageError for another layout, an odd d, and
    more queries than keys.
    """

    def __init__(self, base: float = 10_000.0, layout: str = "interleaved"):
        super().__init__()
        if layout not in ("interleaved", "halves"):
            raise UsageError(f"there is no layout={layout!r}: say interleaved or halves")
        self.base, self.layout = base, layout

    def forward(self, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        behind = queries_behind(q, k)
        dtype = torch.promote_types(q.dtype, torch.float32)
        places = torch.arange(k.shape[-2], dtype=dtype, device=q.device)
        turned = angles(places, q.shape[-1], self.base)  # (m, d/2)
        cos, sin = turned.cos(), turned.sin()
        return self._turn(q, cos[behind:], sin[behind:]), self._turn(k, cos, sin)

    def _turn(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        pairs = -1 if self.layout == "interleaved" else -2
        shape = (-1, 2) if self.layout == "interleaved" else (2, -1)
        a, b = x.unflatten(-1, shape).unbind(pairs)  # each (…, n, d/2)
        return torch.stack((a * cos - b * sin, b * cos + a * sin), pairs).flatten(-2).to(x.dtype)
