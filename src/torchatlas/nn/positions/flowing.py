"""FLOATER: positions as a path that a learned field leads through space."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .added import AbstractAddedPosition


class Field(nn.Module):
    """A small network of time and place: (t, p) -> dp/dt, one hidden layer with tanh."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.inward, self.outward = nn.Linear(width + 1, hidden), nn.Linear(hidden, width)

    def forward(self, t: float, p: Tensor) -> Tensor:  # (d,) -> (d,)
        moved: Tensor = self.outward(self.inward(torch.cat((p, p.new_full((1,), t)))).tanh())
        return moved


@method(
    "floater",
    year=2020,
    paper="arXiv:2003.09229",
    topics=("language",),
    tiny={"width": 6, "hidden": 8},
)
class Floater(AbstractAddedPosition):
    r"""FLOATER: positions are the path $p(t) = p(0) + \int_0^t h(\tau, p) d\tau$ at t = 0, Δ, 2Δ, …

    h is a learned field, by default of one hidden layer: there are as many parameters for long texts as for
    short ones, and no bound to their length. p(0) is learned and starts at 0. One Runge-Kutta step of order
    four leads from each place to the next, so that the cost is that of a short recurrent network. step: Δ.
    Shapes: (batch, length, width) -> the same. Raises UsageError for a step that is not above 0.
    """

    def __init__(self, width: int, hidden: int | None = None, step: float = 0.1):
        super().__init__()
        if step <= 0:
            raise UsageError(f"step={step} must be above 0")
        self.step = step
        self.start = nn.Parameter(torch.zeros(width))
        self.field: nn.Module = Field(width, width if hidden is None else hidden)

    def vectors(self, length: int) -> Tensor:
        """(length, width)."""
        path: list[Tensor] = [self.start]
        for k in range(length - 1):
            path.append(self._next(k * self.step, path[-1]))
        return torch.stack(path[:length]) if length else self.start[None, :][:0]

    def _next(self, t: float, p: Tensor) -> Tensor:
        half = self.step / 2
        a = self.field(t, p)
        b = self.field(t + half, p + half * a)
        c = self.field(t + half, p + half * b)
        d = self.field(t + self.step, p + self.step * c)
        after: Tensor = p + self.step / 6 * (a + 2 * b + 2 * c + d)
        return after
