"""Swish with a learned slope, and ACON: a smooth maximum of two lines that learns whether to activate."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ...cards.card import method
from .context import pooled, spread
from .pointwise import along, one_of, pointwise, positive


def _swish(x: Tensor, beta: Tensor) -> Tensor:
    return x * (beta * x).sigmoid()


def _swish_slopes(x: Tensor, beta: Tensor) -> Iterator[Tensor]:
    gate = (beta * x).sigmoid()
    bent = x * (gate * (1 - gate))  # the gate's slope first: it is zero where x² would overflow
    yield gate + beta * bent
    yield x * bent


def _acon(x: Tensor, p1: Tensor, p2: Tensor, beta: Tensor) -> Tensor:
    d = p1 - p2
    return d * x * (beta * d * x).sigmoid() + p2 * x


def _acon_slopes(x: Tensor, p1: Tensor, p2: Tensor, beta: Tensor) -> Iterator[Tensor]:
    d = p1 - p2
    gate = (beta * d * x).sigmoid()
    bent = x * (gate * (1 - gate))
    tilt = gate + beta * d * bent  # the slope of z σ(β z) at z = d x
    yield d * tilt + p2
    yield x * tilt
    yield x - x * tilt
    yield d * d * x * bent


swish = pointwise(_swish, _swish_slopes)
acon = pointwise(_acon, _acon_slopes)


@method("swish_beta", year=2017, paper="arXiv:1710.05941")
class SwishBeta(nn.Module):
    r"""Swish with a learned slope, $x \sigma(\beta x)$: from a line to ReLU.

    $\beta = 0$ is $x/2$. One β is learned for the whole layer; it starts at `beta`. ACON of form "a" learns
    one per channel.
    """

    def __init__(self, beta: float = 1.0):
        super().__init__()
        self.beta = nn.Parameter(torch.full((), float(beta)))

    def forward(self, x: Tensor) -> Tensor:
        return swish(x, self.beta)


@method(
    "acon",
    year=2020,
    paper="arXiv:2009.04759",
    tiny={"channels": 4},
    variants={"acon_a": {"form": "a"}, "acon_b": {"form": "b"}},
)
class ACON(nn.Module):
    r"""ACON: a smooth maximum of $p_1 x$ and $p_2 x$, $(p_1 - p_2) x \sigma(\beta (p_1 - p_2) x) + p_2 x$.

    β sets how sharp the maximum is; at zero it is a line, so a channel may learn not to activate. Learned per
    channel: in form "a" β alone ($p_1 = 1$, $p_2 = 0$: Swish), in "b" $p_2$ too, from 1/4, in "c" also $p_1$;
    there both start as normal numbers. β starts at one. `channels` lie along `dim`.
    """

    def __init__(self, channels: int, form: str = "c", dim: int = 1):
        super().__init__()
        positive(channels=channels)
        self.form, self.dim = one_of(form, "abc"), dim
        self.beta = nn.Parameter(torch.ones(channels))
        self.p1 = nn.Parameter(torch.randn(channels)) if self.form == "c" else None
        self.p2: nn.Parameter | None = None
        if self.form != "a":
            start = torch.randn(channels) if self.form == "c" else torch.full((channels,), 0.25)
            self.p2 = nn.Parameter(start)

    def forward(self, x: Tensor) -> Tensor:
        beta = along(self.beta, x, self.dim)
        if self.p2 is None:
            return swish(x, beta)
        p1 = torch.ones_like(self.p2) if self.p1 is None else self.p1
        return acon(x, along(p1, x, self.dim), along(self.p2, x, self.dim), beta)


@method("meta_acon", year=2020, paper="arXiv:2009.04759", tiny={"channels": 4})
class MetaACON(nn.Module):
    r"""Meta-ACON: ACON-C whose β follows from the map, per channel.

    $\beta = \sigma(N_2(W_1 N_1(W_2 \bar x)))$.
    $\bar x$ is the mean of each channel, $W_2$ narrows to max(`narrowest`, channels / `reduction`) numbers
    and $W_1$ widens again; $N_1$ and $N_2$ are batch normalisations, which the authors' code has and their
    formula leaves out. For (batch, channels, ...) alone.
    """

    def __init__(self, channels: int, reduction: int = 16, narrowest: int = 16):
        super().__init__()
        positive(channels=channels, reduction=reduction, narrowest=narrowest)
        self.channels = channels
        hidden = max(narrowest, channels // reduction)
        self.switch = nn.Sequential(
            nn.Linear(channels, hidden),
            nn.BatchNorm1d(hidden),
            nn.Linear(hidden, channels),
            nn.BatchNorm1d(channels),
            nn.Sigmoid(),
        )
        self.p1, self.p2 = nn.Parameter(torch.randn(channels)), nn.Parameter(torch.randn(channels))

    def forward(self, x: Tensor) -> Tensor:
        beta = spread(self.switch(pooled(x, self.channels)), x)  # (b, c, 1, ...)
        return acon(x, along(self.p1, x, 1), along(self.p2, x, 1), beta)
