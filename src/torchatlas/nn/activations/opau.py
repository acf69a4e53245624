"""OPAU: a learned quotient of two sums of orthogonal polynomials."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .pointwise import pointwise

# f_{n+1} = (A x + B) f_n - C f_{n-1}, as n -> (A, B, C); f_0 is one.
BASES: dict[str, Callable[[int], tuple[float, float, float]]] = {
    "hermite": lambda n: (1, 0, n),
    "hermite_physicists": lambda n: (2, 0, 2 * n),
    "legendre": lambda n: ((2 * n + 1) / (n + 1), 0, n / (n + 1)),
    "laguerre": lambda n: (-1 / (n + 1), (2 * n + 1) / (n + 1), n / (n + 1)),
    "chebyshev": lambda n: (2 if n else 1, 0, 1),
    "chebyshev_second": lambda n: (2, 0, 1),
}
# Least squares fits of LeakyReLU(0.01) on [-3, 3]. Below, none is under 0.02: zeros do not learn.
START: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "hermite": (
        (4.983900, 8.221670, 5.392081, 1.688735, 0.201049, -0.047860),
        (7.589736, 1.351536, 0.064250, 0.020000),
    ),
    "hermite_physicists": (
        (7.240391, 8.709867, 4.226475, 1.089357, 0.129442, 0.004981),
        (10.256750, 1.883728, 0.184529, 0.020000),
    ),
    "legendre": (
        (1.700011, 3.851213, 3.371040, 1.466769, 0.266162, 0.017352),
        (7.438807, 1.747826, 0.419085, 0.049706),
    ),
    "laguerre": (
        (1.217272, 1.164429, -7.551466, 8.654616, -4.013566, 0.674695),
        (0.315342, 0.565944, 0.020000, 0.138462),
    ),
    "chebyshev": (
        (2.395230, 4.072721, 2.346978, 0.732642, 0.091142, 0.003344),
        (7.410239, 1.011836, 0.121378, 0.020000),
    ),
    "chebyshev_second": (
        (1.484416, 2.038147, 1.493649, 0.607604, 0.110975, 0.007697),
        (4.237755, 0.882798, 0.217566, 0.020000),
    ),
}


def polynomials(basis: str, x: Tensor, count: int) -> Iterator[Tensor]:
    """The first polynomials of a basis at x."""
    before, now = torch.zeros_like(x), torch.ones_like(x)
    yield now
    for n in range(count - 1):
        a, b, c = BASES[basis](n)
        before, now = now, (a * x + b) * now - c * before
        yield now


def derivatives(basis: str, x: Tensor, found: Sequence[Tensor]) -> Iterator[Tensor]:
    """The derivatives of the first polynomials of a basis, which are given at x."""
    before, now = torch.zeros_like(x), torch.zeros_like(x)
    yield now
    for n, f in enumerate(found[:-1]):
        a, b, c = BASES[basis](n)
        before, now = now, a * f + (a * x + b) * now - c * before
        yield now


def _split(*rest: Any) -> tuple[list[Tensor], list[Tensor], str]:
    *coefficients, basis, terms = rest  # the first `terms` coefficients stand above, and fewer below
    return coefficients[:terms], coefficients[terms:], basis


def _value(x: Tensor, *rest: Any) -> Tensor:
    c, d, basis = _split(*rest)
    above, below = torch.zeros_like(x), torch.ones_like(x)
    for i, f in enumerate(polynomials(basis, x, len(c))):
        above = above + c[i] * f
        below = below + d[i - 1].abs() * f.abs() if 1 <= i <= len(d) else below
    return above / below


def _slopes(x: Tensor, *rest: Any) -> Iterator[Tensor]:
    c, d, basis = _split(*rest)
    found = list(polynomials(basis, x, len(c)))
    slopes = list(derivatives(basis, x, found))
    above, below = torch.zeros_like(x), torch.ones_like(x)
    slope_above, slope_below = torch.zeros_like(x), torch.zeros_like(x)
    for one, f, slope in zip(c, found, slopes):
        above, slope_above = above + one * f, slope_above + one * slope
    for one, f, slope in zip(d, found[1:], slopes[1:]):
        below, slope_below = below + one.abs() * f.abs(), slope_below + one.abs() * f.sign() * slope
    value = above / below
    yield (slope_above - value * slope_below) / below
    for f in found:
        yield f / below
    for one, f in zip(d, found[1:]):
        yield -value * one.sign() * f.abs() / below


orthogonal_pade = pointwise(_value, _slopes)


@method("opau", year=2021, paper="arXiv:2106.09693")
class OPAU(nn.Module):
    r"""OPAU: a learned quotient of orthogonal polynomials $f_i$, the orthogonal Padé activation unit.

    $P(x) / Q(x)$ with $P = c_0 f_0 + … + c_5 f_5$ and $Q = 1 + |d_1 f_1| + … + |d_4 f_4|$, which has no
    pole. `basis` names the polynomials: hermite (the probabilists'), hermite_physicists, legendre, laguerre,
    chebyshev or chebyshev_second. All ten coefficients are learned, one set for the layer; they start at a
    least squares fit of LeakyReLU of slope 0.01 on [-3, 3]. Raises UsageError for another basis.
    """

    def __init__(self, basis: str = "hermite"):
        super().__init__()
        if basis not in BASES:
            raise UsageError(f"basis={basis!r} must be one of {', '.join(BASES)}")
        self.basis = basis
        above, below = START[basis]
        self.c, self.d = nn.Parameter(torch.tensor(above)), nn.Parameter(torch.tensor(below))

    def forward(self, x: Tensor) -> Tensor:
        return orthogonal_pade(x, *self.c.unbind(), *self.d.unbind(), self.basis, len(self.c))
