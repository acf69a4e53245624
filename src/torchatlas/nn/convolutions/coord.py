"""CoordConv: a convolution that is told where it is."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from .windows import Size


@method(
    "coord_conv",
    year=2018,
    paper="arXiv:1807.03247",
    aliases=("coordconv",),
    tiny={"in_channels": 4, "out_channels": 4, "kernel_size": 3, "padding": 1},
)
class CoordConv2d(nn.Module):
    r"""CoordConv: a convolution that sees the row and the column of each pixel as two more channels.

    $i$ and $j$ go from -1 at the first row and column to 1 at the last. `radius=True` adds
    $r = \sqrt{i^2 + j^2}$, the distance from the map's middle. Where the weights of these channels are 0 it
    is a convolution; elsewhere it answers differently at different places.
    Shapes: (batch, in_channels, h, w) -> (batch, out_channels, h', w').
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        bias: bool = True,
        radius: bool = False,
    ):
        super().__init__()
        self.radius = radius
        seen = in_channels + 2 + radius
        self.conv = nn.Conv2d(seen, out_channels, kernel_size, stride, padding, dilation, bias=bias)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', h', w')
        rows, columns = _steps(x.shape[2], x)[:, None], _steps(x.shape[3], x)
        where = [rows.expand(x.shape[2:]), columns.expand(x.shape[2:])]
        if self.radius:
            where.append(torch.hypot(*where))
        y: Tensor = self.conv(torch.cat([x, torch.stack(where).expand(x.shape[0], -1, -1, -1)], 1))
        return y


def _steps(count: int, like: Tensor) -> Tensor:
    """Even steps from -1 to 1; one alone is in the middle."""
    first = -1 if count > 1 else 0
    return torch.linspace(first, -first, count, dtype=like.dtype, device=like.device)
