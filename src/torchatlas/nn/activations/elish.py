"""ELiSH and HardELiSH: found by a genetic search; an ELU below zero, Swish above, both gated."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from .pointwise import pointwise


def _elish(x: Tensor) -> Tensor:
    return F.elu(x) * x.sigmoid()


def _elish_slopes(x: Tensor) -> Iterator[Tensor]:
    gate, decay = x.sigmoid(), x.clamp(max=0).exp()  # the ELU's slope, which is one above zero
    yield decay * gate + F.elu(x) * gate * (1 - gate)


def _hard_gate(x: Tensor) -> Tensor:
    return ((x + 1) / 2).clamp(0, 1)


def _hardelish(x: Tensor) -> Tensor:
    return F.elu(x) * _hard_gate(x)


def _hardelish_slopes(x: Tensor) -> Iterator[Tensor]:
    yield x.clamp(max=0).exp() * _hard_gate(x) + torch.where(x.abs() < 1, F.elu(x) / 2, 0)


elish = pointwise(_elish, _elish_slopes)
hardelish = pointwise(_hardelish, _hardelish_slopes)


@method("elish", year=2018, paper="arXiv:1808.00783")
class ELiSH(nn.Module):
    r"""ELiSH: an ELU gated by the sigmoid.

    $x \sigma(x)$ for $x \geq 0$ and $(e^x - 1) \sigma(x)$ for $x < 0$.
    """

    def forward(self, x: Tensor) -> Tensor:
        return elish(x)


@method("hardelish", year=2018, paper="arXiv:1808.00783")
class HardELiSH(nn.Module):
    r"""HardELiSH: an ELU gated by a hard sigmoid, $\mathrm{ELU}(x) \max(0, \min(1, (x + 1) / 2))$.

    The hard sigmoid is the one of slope 1/2; PyTorch's has slope 1/6. Zero up to -1, the identity from 1 on.
    """

    def forward(self, x: Tensor) -> Tensor:
        return hardelish(x)
