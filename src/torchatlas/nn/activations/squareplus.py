"""Squareplus: a softplus from a square root alone."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .pointwise import pointwise


def _parts(x: Tensor, b: float) -> tuple[Tensor, Tensor]:
    """The value and √(x² + b). Below zero the sum would cancel: the value is b / 4 over its mirror image."""
    root = torch.hypot(x, torch.full_like(x, b**0.5))
    large = (x.abs() + root) / 2
    return torch.where(x >= 0, large, b / 4 / large.clamp(min=torch.finfo(x.dtype).tiny)), root


def _value(x: Tensor, b: float) -> Tensor:
    return _parts(x, b)[0]


def _slopes(x: Tensor, b: float) -> Iterator[Tensor]:
    value, root = _parts(x, b)
    yield value / root.clamp(min=torch.finfo(x.dtype).tiny)  # (1 + x / root) / 2


squareplus = pointwise(_value, _slopes)


@method("squareplus", year=2021, paper="arXiv:2112.11687")
class Squareplus(nn.Module):
    r"""Squareplus: a softplus from a square root alone, $(x + \sqrt{x^2 + b}) / 2$.

    `b` sets how round the corner at zero is: $b = 0$ is ReLU, $b = 4 \ln^2 2$ has softplus's value at zero.
    Raises UsageError where b is negative.
    """

    def __init__(self, b: float = 4.0):
        super().__init__()
        if not b >= 0:
            raise UsageError(f"b={b} must not be negative: it stands under a square root")
        self.b = b

    def forward(self, x: Tensor) -> Tensor:
        return squareplus(x, self.b)
