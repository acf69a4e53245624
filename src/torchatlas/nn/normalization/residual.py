"""Residual branches that start silent: networks without normalisation begin as the identity."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...cards.reader import create
from ...engine.errors import UsageError

Branch = str | nn.Module | Callable[[], nn.Module]  # a module, its class or maker, or a method's name


def made(branch: Branch) -> nn.Module:
    """The module that is meant; a name or a maker makes a new one."""
    if isinstance(branch, nn.Module):
        return branch
    module = create(branch) if isinstance(branch, str) else branch()
    if not isinstance(module, nn.Module):
        raise UsageError(f"{branch!r} makes a {type(module).__name__}, not an nn.Module")
    return module


@method("rezero", kind="layer", year=2020, paper="arXiv:2003.04887", tiny={"branch": "tanh"})
class ReZero(nn.Module):
    r"""ReZero: a residual branch times a learned number that starts at zero, $x + \alpha F(x)$.

    There is no norm; at first each layer is the identity, and so is its Jacobian.
    branch: a module that keeps the shape, a maker of one, or a name. Any shape -> the same.
    """

    def __init__(self, branch: Branch, alpha: float = 0.0):
        super().__init__()
        self.branch = made(branch)
        self.alpha = nn.Parameter(torch.full((), float(alpha)))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.alpha * self.branch(x)


@method("skipinit", kind="layer", year=2020, paper="arXiv:2002.10444", tiny={"branch": "tanh"})
class SkipInit(ReZero):
    r"""SkipInit: a scalar at the end of each residual branch, $x + \alpha F(x)$, small at first.

    It does what batch normalisation does to deep residual networks at initialisation. α starts at 0, or with
    `blocks` given at $1 / \sqrt{\mathrm{blocks}}$, which keeps the signal's size through so many blocks.
    branch: a module that keeps the shape, a maker of one, or a name. Any shape -> the same.
    Raises UsageError for fewer than one block.
    """

    def __init__(self, branch: Branch, blocks: int | None = None):
        if blocks is not None and blocks < 1:
            raise UsageError(f"blocks={blocks} must be 1 or more: the residual blocks of the whole network")
        super().__init__(branch, 0.0 if blocks is None else blocks**-0.5)
