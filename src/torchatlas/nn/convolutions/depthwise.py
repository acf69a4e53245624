"""Depthwise convolutions: space and channels apart."""

from torch import Tensor, nn

from ...cards.card import method
from .windows import Size


@method(
    "depthwise_conv",
    year=2014,
    paper="Sifre, thesis, École polytechnique",
    tiny={"in_channels": 4, "kernel_size": 3, "padding": 1},
)
class DepthwiseConv2d(nn.Conv2d):
    r"""Depthwise convolution: every channel has a kernel of its own and sees no other channel.

    $y_c(p) = \sum_t w_c(t) x_c(p + t) + b_c$: a grouped convolution with as many groups as channels.
    `multiplier` kernels for each channel make as many channels of it.
    Shapes: (batch, in_channels, h, w) -> (batch, multiplier · in_channels, h', w').
    """

    def __init__(
        self,
        in_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        bias: bool = True,
        multiplier: int = 1,
    ):
        out_channels = multiplier * in_channels
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, in_channels, bias)


@method(
    "depthwise_separable_conv",
    year=2017,
    paper="arXiv:1704.04861",
    aliases=("depthwise_separable", "separable_conv"),
    tiny={"in_channels": 4, "out_channels": 4, "kernel_size": 3, "padding": 1},
)
class DepthwiseSeparableConv2d(nn.Module):
    r"""Depthwise separable convolution: a depthwise one over space, then a 1×1 one over channels.

    $y_o(p) = \sum_c v_{oc} \sum_t w_c(t) x_c(p + t) + b_o$: a convolution whose kernels are $v_{oc} w_c(t)$.
    Weights and products are $1 / c' + 1 / f^2$ of a convolution's, for c' output channels and f×f kernels.
    Nothing stands between the two; networks put a normalisation and an activation there.
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
    ):
        super().__init__()
        self.depthwise = DepthwiseConv2d(in_channels, kernel_size, stride, padding, dilation, bias=False)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', h', w')
        y: Tensor = self.pointwise(self.depthwise(x))
        return y
