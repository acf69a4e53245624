"""Sinusoidal positions: waves of many lengths, along one axis or two."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .added import AbstractAddedPosition


def angles(places: Tensor, width: int, base: float = 10_000.0) -> Tensor:  # (n,) -> (n, width / 2)
    r"""The angles $k / b^{2i/d}$ of places k, in the places' precision."""
    if width < 2 or width % 2:
        raise UsageError(f"width={width} must be even and above 0: sines and cosines come in pairs")
    rates = base ** (-torch.arange(0, width, 2, dtype=places.dtype, device=places.device) / width)
    return places[:, None] * rates


def waves(places: Tensor, width: int, base: float = 10_000.0) -> Tensor:  # (n,) -> (n, width)
    r"""$\sin(k / b^{2i/d})$ at 2i and $\cos(k / b^{2i/d})$ at 2i + 1 for places k."""
    turned = angles(places, width, base)
    return torch.stack((turned.sin(), turned.cos()), 2).flatten(1)


def first_waves(length: int, width: int, base: float = 10_000.0) -> Tensor:  # -> (length, width)
    """The waves of the first places: computed in double precision, kept in the default one."""
    return waves(torch.arange(length, dtype=torch.double), width, base).to(torch.get_default_dtype())


@method(
    "sinusoidal_pe",
    year=2017,
    paper="arXiv:1706.03762",
    aliases=("sinusoidal_positions",),
    topics=("language",),
    tiny={"context": 12, "width": 6},
)
class SinusoidalPosition(AbstractAddedPosition):
    r"""Sinusoidal positions: sines and cosines of many lengths are added, nothing is learned.

    $p_{k,2i} = \sin(k / b^{2i/d})$ and $p_{k,2i+1} = \cos(k / b^{2i/d})$, b = `base`. The product of two
    places' vectors depends on their distance alone, and each has the length $\sqrt{d/2}$.
    Shapes: (batch, length <= context, width) -> the same. Raises UsageError for an odd width, and for more
    places than the context.
    """

    table: Tensor

    def __init__(self, context: int, width: int, base: float = 10_000.0):
        super().__init__(context)
        self.register_buffer("table", first_waves(context, width, base), persistent=False)

    def vectors(self, length: int) -> Tensor:
        """(length, width)."""
        return self.table[:length]


@method(
    "sinusoidal_pe_2d",
    year=2019,
    paper="arXiv:1908.11415",
    topics=("vision",),
    tiny={"height": 6, "columns": 5, "width": 8},
)
class SinusoidalPosition2d(nn.Module):
    r"""Sinusoidal positions in two dimensions: half the width tells the column, half the row.

    The first d/2 numbers are the sinusoidal vector of the column, the last d/2 that of the row. height,
    columns: the largest map.
    Shapes: (batch, rows, columns, width) -> the same, features last. Raises UsageError for a width that 4
    does not divide, and for larger maps.
    """

    down: Tensor
    across: Tensor

    def __init__(self, height: int, columns: int, width: int, base: float = 10_000.0):
        super().__init__()
        if width < 4 or width % 4:
            raise UsageError(
                f"width={width} must be a multiple of 4: pairs of waves for rows and for columns"
            )
        self.register_buffer("down", first_waves(height, width // 2, base), persistent=False)
        self.register_buffer("across", first_waves(columns, width // 2, base), persistent=False)

    def forward(self, x: Tensor) -> Tensor:  # (b, h, w, d) -> (b, h, w, d)
        height, columns = x.shape[1:3]
        if height > len(self.down) or columns > len(self.across):
            raise UsageError(
                f"a map of {height} × {columns} is larger than {len(self.down)} × {len(self.across)}"
            )
        across = self.across[:columns].expand(height, -1, -1)
        down = self.down[:height, None].expand(-1, columns, -1)
        return x + torch.cat((across, down), 2)
