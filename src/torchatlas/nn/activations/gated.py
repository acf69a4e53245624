"""Gated units: one half of the features opens and closes the other, so the width is halved."""

from abc import ABC, abstractmethod

import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import borrowed, method
from ...engine.errors import UsageError

borrowed(
    "glu",
    "torch.nn:GLU",
    "GLU: the first half of the features times the sigmoid of the second",
    kind="layer",
    formula="a σ(b), where x = [a, b] along dim",
    year=2016,
    paper="arXiv:1612.08083",
)


class AbstractGate(nn.Module, ABC):
    """The first half of the features times some function of the second, as `nn.GLU` has it.

    Shapes: 2n numbers along `dim` -> n. Raises UsageError where their number is odd.
    """

    def __init__(self, dim: int = -1):
        super().__init__()
        self.dim = dim

    @abstractmethod
    def gate(self, x: Tensor) -> Tensor:
        """How far the second half opens the first."""

    def forward(self, x: Tensor) -> Tensor:  # (..., 2n, ...) -> (..., n, ...)
        if x.shape[self.dim] % 2:
            raise UsageError(
                f"a gated unit halves its features, and dimension {self.dim} of its input has "
                f"{x.shape[self.dim]}"
            )
        value, gate = x.chunk(2, self.dim)
        return value * self.gate(gate)


@method("reglu", kind="layer", year=2020, paper="arXiv:2002.05202")
class ReGLU(AbstractGate):
    r"""ReGLU: the first half of the features times the ReLU of the second, $a \max(b, 0)$.

    In a feed-forward part the layer before it gives both halves; two thirds of the usual width cost the same.
    """

    def gate(self, x: Tensor) -> Tensor:
        """The positive part."""
        return F.relu(x)


@method("geglu", kind="layer", year=2020, paper="arXiv:2002.05202")
class GEGLU(AbstractGate):
    r"""GEGLU: the first half of the features times the GELU of the second, $a b \Phi(b)$."""

    def gate(self, x: Tensor) -> Tensor:
        """The number times the chance that a normal one lies below it."""
        return F.gelu(x)


@method("swiglu", kind="layer", year=2020, paper="arXiv:2002.05202")
class SwiGLU(AbstractGate):
    r"""SwiGLU: the first half of the features times the Swish of the second, $a b \sigma(b)$."""

    def gate(self, x: Tensor) -> Tensor:
        """The number times its own sigmoid."""
        return F.silu(x)
