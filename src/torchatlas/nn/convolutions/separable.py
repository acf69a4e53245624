"""Convolutions taken apart into one-dimensional ones."""

from torch import Tensor, nn

from ...cards.card import method
from .windows import Size, pair


@method(
    "spatially_separable_conv",
    year=2015,
    paper="arXiv:1512.00567",
    tiny={"in_channels": 4, "out_channels": 4, "kernel_size": 3, "padding": 1},
)
class SpatiallySeparableConv2d(nn.Module):
    r"""Spatially separable convolution: an f×1 convolution down, then a 1×f one across.

    $y = w_2 * (w_1 * x) + b$ with $w_1$ from in to out channels and $w_2$ from out to out channels. Where
    there is one channel, its kernels are outer products of a column and a row. With as many channels out as
    in, weights and products are 2 / f of a convolution's.
    Shapes: (batch, in_channels, h, w) -> (batch, out_channels, h', w').
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        bias: bool = True,
    ):
        super().__init__()
        (kh, kw), (sh, sw), (ph, pw) = pair(kernel_size), pair(stride), pair(padding)
        self.down = nn.Conv2d(in_channels, out_channels, (kh, 1), (sh, 1), (ph, 0), bias=False)
        self.across = nn.Conv2d(out_channels, out_channels, (1, kw), (1, sw), (0, pw), bias=bias)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', h', w')
        y: Tensor = self.across(self.down(x))
        return y


@method(
    "flattened_conv",
    year=2014,
    paper="arXiv:1412.5474",
    tiny={"in_channels": 4, "out_channels": 4, "kernel_size": 3, "padding": 1},
)
class FlattenedConv2d(nn.Module):
    r"""Flattened convolution: three one-dimensional filters for each output, over channels, down and across.

    $y_o = \gamma_o * (\beta_o * \sum_c \alpha_{oc} x_c) + b_o$: a convolution whose kernels are
    $\alpha_{oc} \beta_o(i) \gamma_o(j)$, of rank one, with c + f + f weights for each output channel.
    Shapes: (batch, in_channels, h, w) -> (batch, out_channels, h', w').
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        bias: bool = True,
    ):
        super().__init__()
        (kh, kw), (sh, sw), (ph, pw), out = pair(kernel_size), pair(stride), pair(padding), out_channels
        self.lateral = nn.Conv2d(in_channels, out, 1, bias=False)
        self.down = nn.Conv2d(out, out, (kh, 1), (sh, 1), (ph, 0), groups=out, bias=False)
        self.across = nn.Conv2d(out, out, (1, kw), (1, sw), (0, pw), groups=out, bias=bias)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', h', w')
        y: Tensor = self.across(self.down(self.lateral(x)))
        return y
