"""APL: a ReLU with a few learned hinges."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ...cards.card import method
from .pointwise import along, pointwise, positive


def _value(x: Tensor, *hinges: Tensor) -> Tensor:  # slopes and places by turns
    y = x.clamp(min=0)
    for a, b in zip(hinges[::2], hinges[1::2]):
        y = y + a * (b - x).clamp(min=0)
    return y


def _slopes(x: Tensor, *hinges: Tensor) -> Iterator[Tensor]:
    total = torch.where(x > 0, torch.ones_like(x), 0)
    for a, b in zip(hinges[::2], hinges[1::2]):
        total = total - torch.where(x < b, a, 0)
    yield total
    for a, b in zip(hinges[::2], hinges[1::2]):
        yield (b - x).clamp(min=0)
        yield torch.where(x < b, a, 0)


apl = pointwise(_value, _slopes)


@method("apl", year=2014, paper="arXiv:1412.6830", tiny={"channels": 4, "hinges": 2})
class APL(nn.Module):
    r"""APL: a ReLU with learned hinges, $\max(0, x) + \sum_{s=1}^{S} a_s \max(0, b_s - x)$.

    Each of the `channels`, which lie along `dim`, learns its own $a_s$ and $b_s$; S is `hinges`. They start
    as the authors' code has it: $a_s$ uniform in $\pm 0.2$, $b_s$ normal with spread 1/2. The paper had a
    penalty of 0.001 on their squares, which is the optimizer's weight decay.
    """

    def __init__(self, channels: int, hinges: int = 5, dim: int = 1):
        super().__init__()
        positive(channels=channels, hinges=hinges)
        self.dim = dim
        self.a = nn.Parameter(torch.empty(channels, hinges).uniform_(-0.2, 0.2))
        self.b = nn.Parameter(torch.empty(channels, hinges).normal_(std=0.5))

    def forward(self, x: Tensor) -> Tensor:
        pairs = zip(self.a.unbind(1), self.b.unbind(1))
        return apl(x, *(along(one, x, self.dim) for pair in pairs for one in pair))
