"""Dynamic Shift-Max: channels of other groups are mixed in, with weights that follow from the whole map."""

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .context import pooled, spread
from .pointwise import last_largest, pointwise, positive


def _mixtures(tensors: Sequence[Tensor], shifts: int) -> Iterator[Tensor]:
    """Each piece: the shifted inputs by its weights, which stand after the inputs piece by piece."""
    shifted, weights = tensors[:shifts], tensors[shifts:]
    for start in range(0, len(weights), shifts):
        total = weights[start] * shifted[0]
        for weight, other in zip(weights[start + 1 : start + shifts], shifted[1:]):
            total = total + weight * other
        yield total


def _value(*rest: Any) -> Tensor:
    *tensors, shifts = rest
    return reduce(torch.maximum, _mixtures(tensors, shifts))


def _slopes(*rest: Any) -> Iterator[Tensor]:
    *tensors, shifts = rest
    which = last_largest(_mixtures(tensors, shifts))
    shifted, weights = tensors[:shifts], tensors[shifts:]
    for j in range(shifts):
        total = torch.zeros_like(shifted[0])
        for k, weight in enumerate(weights[j::shifts]):
            total = torch.where(which == k, weight, total)
        yield total
    for place in range(len(weights)):
        yield torch.where(which == place // shifts, shifted[place % shifts], 0)


largest_mixture = pointwise(_value, _slopes)


@method("dynamic_shift_max", year=2021, paper="arXiv:2108.05894", tiny={"channels": 4})
class DynamicShiftMax(nn.Module):
    r"""Dynamic Shift-Max: the largest of K mixtures of a channel with its fellows in the next groups.

    $y_i = \max_{k \leq K} \sum_{j=0}^{J-1} a^k_{ij} x_{(i + j C / G) \mathrm{mod} C}$: C channels in G
    `groups`, J is `shifts`, K `pieces`. The weights follow from the mean of each channel through two affine
    maps with a ReLU between them and a hard sigmoid: they lie within ±`bound` of $a^1 = (1, 0, …)$, $a^2 =
    (0, 0, …)$, at which it is ReLU. For (batch, channels, ...) alone. The authors' code turns each group by
    one channel besides, which their formula does not. Raises UsageError where the groups do not divide the
    channels.
    """

    def __init__(
        self,
        channels: int,
        groups: int = 2,
        shifts: int = 2,
        pieces: int = 2,
        reduction: int = 4,
        bound: float = 2.0,
    ):
        super().__init__()
        positive(channels=channels, groups=groups, shifts=shifts, pieces=pieces, reduction=reduction)
        if channels % groups:
            raise UsageError(f"groups={groups} must divide the channels, of which there are {channels}")
        self.channels, self.groups, self.shifts, self.pieces = channels, groups, shifts, pieces
        self.bound = bound
        hidden = squeezed(channels // reduction)
        self.squeeze, self.widen = nn.Linear(channels, hidden), nn.Linear(hidden, pieces * shifts * channels)

    def forward(self, x: Tensor) -> Tensor:
        z = self.widen(F.relu(self.squeeze(pooled(x, self.channels))))
        weights = (2 * self.bound * ((z / 6 + 0.5).clamp(0, 1) - 0.5)).unflatten(
            1, (self.pieces, self.shifts, -1)
        )
        step = self.channels // self.groups
        shifted = [x, *(x.roll(-j * step, 1) for j in range(1, self.shifts))]
        mixed = [
            spread(weights[:, k, j] + (1.0 if k == j == 0 else 0.0), x)
            for k in range(self.pieces)
            for j in range(self.shifts)
        ]
        return largest_mixture(*shifted, *mixed, self.shifts)


def squeezed(channels: int) -> int:
    """The nearest multiple of four that is at least four and not more than a tenth below."""
    near = max(4, (channels + 2) // 4 * 4)
    return near if near >= 0.9 * channels else near + 4
