"""The non-local block: each position of a map sees all others, or means of parts of it."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ..convolutions.region import pooled
from .gate import between, one_of

FORMS = ("embedded", "gaussian", "dot", "concatenation")


def tokens(x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, h w, c)
    """A map's positions as rows."""
    return x.flatten(2).mT


def silent_norm(channels: int) -> nn.BatchNorm2d:
    """Batch normalisation whose scale starts at 0: a branch that ends in it adds nothing at first."""
    norm = nn.BatchNorm2d(channels)
    nn.init.zeros_(norm.weight)
    return norm


@method(
    "nonlocal",
    year=2017,
    paper="arXiv:1711.07971",
    aliases=("non_local",),
    topics=("vision",),
    tiny={"channels": 4},
    variants={
        "nonlocal_gaussian": {"form": "gaussian"},
        "nonlocal_dot": {"form": "dot"},
        "nonlocal_concatenation": {"form": "concatenation"},
    },
)
class NonLocal(nn.Module):
    r"""Non-local block: a position is given what all others hold, weighted by likeness, $x + W y$.

    $y_i = \sum_j f(x_i, x_j) g(x_j)$ with θ, φ and g 1×1 convolutions to channels / `reduction`. What form
    says: "embedded": softmax over j of $\theta(x_i) · \phi(x_j)$; "gaussian": softmax over j of $x_i · x_j$;
    "dot": $\theta(x_i) · \phi(x_j) / N$, N the positions seen, computed without a table of all pairs;
    "concatenation": $\max(0, w · [\theta(x_i); \phi(x_j)]) / N$. pool: the other positions are largest
    values of windows of pool × pool. W is a 1×1 convolution with batch normalisation that starts at 0, so
    that the block begins as the identity.
    Shapes: (batch, channels, height, width) -> the same. Raises UsageError for other forms.
    """

    def __init__(self, channels: int, form: str = "embedded", reduction: int = 2, pool: int = 1):
        super().__init__()
        inner, self.form, self.pool = between(channels, reduction), one_of("form", form, FORMS), pool
        if pool < 1:
            raise UsageError(f"pool={pool} must be 1 or more")
        embeds = self.form != "gaussian"
        self.query: nn.Module = nn.Conv2d(channels, inner, 1) if embeds else nn.Identity()
        self.key: nn.Module = nn.Conv2d(channels, inner, 1) if embeds else nn.Identity()
        self.value = nn.Conv2d(channels, inner, 1)
        self.weight = nn.Parameter(torch.empty(2, inner)) if self.form == "concatenation" else None
        if self.weight is not None:
            nn.init.uniform_(self.weight, -((2 * inner) ** -0.5), (2 * inner) ** -0.5)
        self.out = nn.Sequential(nn.Conv2d(inner, channels, 1), silent_norm(channels))

    def seen(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, m, c)
        """The positions that are looked at, as rows."""
        return tokens(F.max_pool2d(x, self.pool) if self.pool > 1 else x)

    def mixed(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:  # (b, n, d), (b, m, d) twice -> (b, n, d)
        """What each position is given."""
        if self.form == "dot":
            return q @ ((k / k.shape[1]).mT @ v)
        if self.weight is not None:
            first, second = q @ self.weight[0], k @ self.weight[1]
            return F.relu(first[:, :, None] + second[:, None]) @ v / k.shape[1]
        return (q @ k.mT).softmax(2) @ v

    def forward(self, x: Tensor) -> Tensor:
        y = self.mixed(tokens(self.query(x)), self.seen(self.key(x)), self.seen(self.value(x)))
        added: Tensor = self.out(y.mT.unflatten(2, x.shape[2:]))
        return x + added


@method(
    "annnet",
    year=2019,
    paper="arXiv:1908.07678",
    aliases=("asymmetric_nonlocal",),
    topics=("vision", "segmentation"),
    tiny={"channels": 4, "sizes": (1, 2)},
)
class AsymmetricNonLocal(NonLocal):
    r"""ANN (asymmetric pyramid non-local block): a position is given means of parts of the map.

    The non-local block's "embedded" form, whose keys and values are means over s × s even parts of the map
    for each s of `sizes`: 110 in all, whatever the map's size.
    Shapes: (batch, channels, height, width) -> the same. Raises UsageError unless all sizes are positive.
    """

    def __init__(self, channels: int, reduction: int = 2, sizes: Sequence[int] = (1, 3, 6, 8)):
        super().__init__(channels, reduction=reduction)
        if not sizes or min(sizes) < 1:
            raise UsageError(f"sizes={sizes} must be 1 or more each")
        self.sizes = tuple(sizes)

    def seen(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, m, c)
        """The means of all parts, as rows."""
        return torch.cat([tokens(pooled(x, (size, size))) for size in self.sizes], 1)
