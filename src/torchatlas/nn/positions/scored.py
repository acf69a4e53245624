"""Positions that bear on attention's scores: what they share."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...engine.errors import UsageError


class AbstractScoredPosition(nn.Module):
    r"""A bias for each query and key, $\mathrm{softmax}(s q_i · k_j + b_{ij}) v$: forward(q, k) -> b.

    q is (batch, heads, n, d), k and v (batch, heads, m, d). The bias is (heads, n, m), or (batch, heads, n,
    m) where it depends on queries or keys, and is added to products scaled by s = `scale(d)`, $1 / \sqrt d$
    unless a member says otherwise. Where there are fewer queries than keys, they are the last ones.
    `attend(q, k, v)` is attention with all that the member does; a member that does more than a bias says so
    there.
    """

    def scale(self, width: int) -> float:
        """By what products of queries and keys of a width are multiplied."""
        return width**-0.5

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attention with these positions; mask: True (n, m) where a query may look, as in PyTorch."""
        bias = self(q, k).to(q.dtype)
        if mask is not None:
            bias = bias.masked_fill(~mask, -torch.inf)
        return F.scaled_dot_product_attention(q, k, v, bias, scale=self.scale(q.shape[-1]))

    def shares(self, q: Tensor, k: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attention's weights (batch, heads, n, m), for members that do more with them.

        As in PyTorch they are 0 for a query that may look nowhere.
        """
        scores = self.scale(q.shape[-1]) * (q @ k.mT) + self(q, k)
        if mask is None:
            return scores.softmax(-1)
        least = torch.finfo(scores.dtype).min  # minus infinity alone would make a row of NaN
        return scores.masked_fill(~mask, least).softmax(-1).masked_fill(~mask, 0.0)


def queries_behind(q: Tensor, k: Tensor) -> int:
    """How many keys come before the first query; UsageError where there are more queries than keys."""
    if (behind := k.shape[-2] - q.shape[-2]) < 0:
        raise UsageError(f"{q.shape[-2]} queries cannot be the last of {k.shape[-2]} keys")
    return behind


def distances(q: Tensor, k: Tensor) -> Tensor:  # -> (n, m)
    """j - i: how far each key is ahead of each query; below 0 it is behind."""
    behind = queries_behind(q, k)
    keys = torch.arange(k.shape[-2], device=q.device)
    return keys - (keys[behind:, None] if behind else keys[:, None])


def from_farthest(q: Tensor, k: Tensor) -> Tensor:  # -> (n + m,)
    """All distances j - i in order, from the farthest behind, 1 - m; one more than there are (`shifted`)."""
    queries_behind(q, k)
    return torch.arange(1 - k.shape[-2], q.shape[-2] + 1, device=q.device)


def shifted(values: Tensor, keys: int) -> Tensor:  # (…, n, n + m) -> (…, n, m)
    """Of values for every distance (`from_farthest`), those of each query's keys.

    Row i wants the m values from n - 1 - i on. Read row after row with rows one number shorter, they stand
    below each other: no table of numbers is needed.
    """
    n, length = values.shape[-2:]
    rows = values.flatten(-2)[..., n - 1 : n - 1 + n * (length - 1)]
    return rows.unflatten(-1, (n, length - 1))[..., :keys]


def by_distance(values: Tensor, queries: int, keys: int) -> Tensor:  # (…, n + m) -> (…, n, m)
    """Values for every distance (`from_farthest`), laid out for each query and key."""
    return values[..., : queries + keys - 1].unfold(-1, keys, 1).flip(-2)
