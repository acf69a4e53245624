"""PAU: a learned quotient of two polynomials."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ...cards.card import method
from .pointwise import horner, one_of, pointwise

START = {  # the authors' fits to LeakyReLU(0.01) on [-3, 3]
    "a": (
        (0.029793, 0.618374, 2.323309, 3.051936, 1.485420, 0.251024),
        (-1.141955, 4.393160, 0.871471, 0.347197),
    ),
    "b": (
        (0.033558, 0.504994, 1.653416, 2.009985, 0.931890, 0.152422),
        (-0.000057, 3.980248, -0.000043, 0.301834),
    ),
}


def _parts(x: Tensor, *rest: Any) -> tuple[tuple[Tensor, ...], Tensor, tuple[Tensor, ...], Tensor, Tensor]:
    """The coefficients above, the variable below, the coefficients below, their sum, and the value."""
    *coefficients, form, terms = rest
    a, b = tuple(coefficients[:terms]), tuple(coefficients[terms:])
    if form == "a":
        b, u = tuple(one.abs() for one in b), x.abs()
    else:
        u = x
    total = u * horner(b, u)
    return a, u, b, total, horner(a, x) / (1 + total.abs())


def _value(x: Tensor, *rest: Any) -> Tensor:
    return _parts(x, *rest)[-1]


def _derivative(coefficients: tuple[Tensor, ...], x: Tensor) -> Tensor:
    """The derivative of c_1 x + c_2 x² + … by x."""
    return horner([k * c for k, c in enumerate(coefficients, 1)], x)


def _slopes(x: Tensor, *rest: Any) -> Iterator[Tensor]:
    *coefficients, form, terms = rest
    a, u, b, total, value = _parts(x, *rest)
    scale = 1 / (1 + total.abs())
    turn = x.sign() if form == "a" else total.sign()  # the denominator's slope is this times that of the sum
    yield (_derivative(a[1:], x) - value * turn * _derivative(b, u)) * scale
    power = scale
    for _ in a:
        yield power
        power = power * x
    power = -value * scale if form == "a" else -value * scale * turn
    for one in coefficients[terms:]:
        power = power * u
        yield power * one.sign() if form == "a" else power


pade = pointwise(_value, _slopes)


@method("pau", year=2019, paper="arXiv:1907.06732")
class PAU(nn.Module):
    r"""PAU: a learned quotient of polynomials, the safe Padé activation unit.

    $P(x) / Q(x)$ with $P = a_0 + a_1 x + … + a_5 x^5$. Form "b": $Q = 1 + |b_1 x + … + b_4 x^4|$; form "a":
    $Q = 1 + |b_1 x| + … + |b_4 x^4|$. Neither has a pole. All ten coefficients are learned, one set for the
    layer, and start near LeakyReLU of slope 0.01 on [-3, 3].
    """

    def __init__(self, form: str = "b"):
        super().__init__()
        self.form = one_of(form, "ab")
        above, below = START[self.form]
        self.a, self.b = nn.Parameter(torch.tensor(above)), nn.Parameter(torch.tensor(below))

    def forward(self, x: Tensor) -> Tensor:
        return pade(x, *self.a.unbind(), *self.b.unbind(), self.form, len(self.a))
