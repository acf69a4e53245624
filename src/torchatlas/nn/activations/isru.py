"""ISRU and ISRLU: an S and a rectifier from an inverse square root alone, which is cheap in hardware."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .pointwise import pointwise


def _root(x: Tensor, alpha: float) -> Tensor:
    """√(1 + α x²), which does not overflow where x² would."""
    return torch.hypot(x * alpha**0.5, torch.ones_like(x))


def _isru(x: Tensor, alpha: float) -> Tensor:
    return x / _root(x, alpha)


def _isru_slopes(x: Tensor, alpha: float) -> Iterator[Tensor]:
    yield _root(x, alpha).reciprocal() ** 3


def _isrlu(x: Tensor, alpha: float) -> Tensor:
    return torch.where(x >= 0, x, x / _root(x, alpha))


def _isrlu_slopes(x: Tensor, alpha: float) -> Iterator[Tensor]:
    yield torch.where(x >= 0, 1, _root(x, alpha).reciprocal() ** 3)


isru = pointwise(_isru, _isru_slopes)
isrlu = pointwise(_isrlu, _isrlu_slopes)


def _checked(alpha: float) -> float:
    if not alpha > 0:
        raise UsageError(f"alpha={alpha} must be positive: the function saturates at 1 / √alpha")
    return alpha


@method("isru", year=2017, paper="arXiv:1710.09967")
class ISRU(nn.Module):
    r"""ISRU: an S by an inverse square root, $x / \sqrt{1 + \alpha x^2}$, between $\pm 1 / \sqrt{\alpha}$.

    Raises UsageError unless alpha is positive.
    """

    def __init__(self, alpha: float = 1.0):
        super().__init__()
        self.alpha = _checked(alpha)

    def forward(self, x: Tensor) -> Tensor:
        return isru(x, self.alpha)


@method("isrlu", year=2017, paper="arXiv:1710.09967")
class ISRLU(nn.Module):
    r"""ISRLU: an ELU without exponential; $x$ for $x \geq 0$ and $x / \sqrt{1 + \alpha x^2}$ for $x < 0$.

    First and second derivative are continuous at zero. Raises UsageError unless alpha is positive.
    """

    def __init__(self, alpha: float = 1.0):
        super().__init__()
        self.alpha = _checked(alpha)

    def forward(self, x: Tensor) -> Tensor:
        return isrlu(x, self.alpha)
