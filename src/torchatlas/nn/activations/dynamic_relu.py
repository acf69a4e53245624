"""Dynamic ReLU: the largest of a few lines, whose slopes and offsets follow from the whole map."""

from collections.abc import Iterator
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from .context import pooled, spread
from .pointwise import last_largest, one_of, pointwise, positive

SLOPE_RANGE, OFFSET_RANGE = 1.0, 0.5  # λ of the slopes and of the offsets
TEMPERATURE = 10.0


def _pieces(x: Tensor, lines: tuple[Tensor, ...]) -> Iterator[Tensor]:
    """Each line at x; slopes and offsets stand by turns."""
    for a, b in zip(lines[::2], lines[1::2]):
        yield a * x + b


def _value(x: Tensor, *lines: Tensor) -> Tensor:
    return reduce(torch.maximum, _pieces(x, lines))


def _slopes(x: Tensor, *lines: Tensor) -> Iterator[Tensor]:
    which = last_largest(_pieces(x, lines))
    total = torch.zeros_like(x)
    for k, a in enumerate(lines[::2]):
        total = torch.where(which == k, a, total)
    yield total
    for k in range(len(lines) // 2):
        won = which == k
        yield torch.where(won, x, 0)
        yield won.to(x.dtype)


largest_line = pointwise(_value, _slopes)


@method("dynamic_relu", year=2020, paper="arXiv:2003.10027", tiny={"channels": 4})
class DynamicReLU(nn.Module):
    r"""Dynamic ReLU: the largest of K lines $a_k x + b_k$ that a small network makes for each sample.

    $\theta = 2 \sigma(W_2 \max(0, W_1 \bar x)) - 1$ from the mean $\bar x$ of each channel, narrowed by
    `reduction` in between, gives $a_k = \alpha_k + \theta$ and $b_k = \theta / 2$ with $\alpha = (1, 0, …)$;
    θ = 0 is ReLU. K is `pieces`. In form "a" all channels of a sample share their lines, in "b" each has its
    own, and in "c" these are weighted from place to place too, by $\pi = \min(\frac{HW}{3}
    \mathrm{softmax}(z / 10), 1)$ over the positions, where z is one number per place from all channels.
    For (batch, channels, ...) alone.
    """

    def __init__(self, channels: int, form: str = "b", reduction: int = 8, pieces: int = 2):
        super().__init__()
        positive(channels=channels, reduction=reduction, pieces=pieces)
        self.channels, self.form, self.pieces = channels, one_of(form, "abc"), pieces
        hidden, sets = max(1, channels // reduction), 1 if self.form == "a" else channels
        self.squeeze, self.widen = nn.Linear(channels, hidden), nn.Linear(hidden, 2 * pieces * sets)
        self.place = nn.Linear(channels, 1) if self.form == "c" else None  # a 1×1 convolution

    def lines(self, x: Tensor) -> list[Tensor]:
        """Slopes and offsets by turns, one of each per piece, shaped to meet x."""
        theta = 2 * self.widen(F.relu(self.squeeze(pooled(x, self.channels)))).sigmoid() - 1
        slopes, offsets = theta.unflatten(1, (2, self.pieces, -1)).unbind(1)  # each (b, K, c or 1)
        lines = []
        for k in range(self.pieces):
            lines.append(spread(SLOPE_RANGE * slopes[:, k] + (1.0 if k == 0 else 0.0), x))
            lines.append(spread(OFFSET_RANGE * offsets[:, k], x))
        return lines

    def forward(self, x: Tensor) -> Tensor:
        y = largest_line(x, *self.lines(x))
        return y if self.place is None else y * self._weights(x)

    def _weights(self, x: Tensor) -> Tensor:  # (b, c, ...) -> (b, 1, ...)
        """How far each place is activated, in [0, 1]. It may stand before the maximum: it is not negative."""
        assert self.place is not None
        z: Tensor = self.place(x.movedim(1, -1)).movedim(-1, 1)
        shares = (z.flatten(1) / TEMPERATURE).softmax(1).view_as(z)
        return (shares * (x.shape[2:].numel() / 3)).clamp(max=1)
