"""Learned positions, as many as there are places, or their square."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .added import AbstractAddedPosition


@method(
    "learned_pe",
    year=2017,
    paper="arXiv:1705.03122",
    aliases=("learned_positions",),
    topics=("language",),
    tiny={"context": 12, "width": 6},
)
class LearnedPosition(AbstractAddedPosition):
    r"""Learned positions: a learned vector for each of `context` places is added, $x_k + p_k$.

    They start as normal numbers of deviation `std`; nothing is known of places beyond the context.
    Shapes: (batch, length <= context, width) -> the same. Raises UsageError for more places.
    """

    def __init__(self, context: int, width: int, std: float = 1.0):
        super().__init__(context)
        self.weight = nn.Parameter(torch.randn(context, width) * std)

    def vectors(self, length: int) -> Tensor:
        """(length, width)."""
        return self.weight[:length]


@method(
    "hierarchical_pe",
    year=2020,
    paper="Su, spaces.ac.cn/archives/7947",
    topics=("language",),
    tiny={"context": 4, "width": 6},
)
class HierarchicalPosition(AbstractAddedPosition):
    r"""Hierarchical positions: n learned vectors p give those of n² places, and the first n stay p.

    $q_{in+j} = \alpha u_i + (1 - \alpha) u_j$ with $u_i = (p_i - \alpha p_0) / (1 - \alpha)$, i and j from
    0. So a model trained on n places can be used on longer texts. `context` is n; α is neither 0, 1/2 nor 1:
    at 1/2 the places (i, j) and (j, i) would be the same.
    Shapes: (batch, length <= n², width) -> the same. Raises UsageError for more places, and such an α.
    """

    def __init__(self, context: int, width: int, alpha: float = 0.4, std: float = 1.0):
        if not 0 < alpha < 1 or alpha == 0.5:
            raise UsageError(f"alpha={alpha} must lie between 0 and 1 and not be 1/2")
        super().__init__(context * context)
        self.alpha = alpha
        self.weight = nn.Parameter(torch.randn(context, width) * std)

    def vectors(self, length: int) -> Tensor:
        """(length, width)."""
        u = (self.weight - self.alpha * self.weight[:1]) / (1 - self.alpha)
        rows = -(-length // len(u))
        both = self.alpha * u[:rows, None] + (1 - self.alpha) * u  # (rows, n, d)
        return both.flatten(0, 1)[:length]
