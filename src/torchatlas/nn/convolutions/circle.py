"""The circle convolution: taps on circles, as receptive fields are round."""

import math

import torch
from torch import Tensor

from ...cards.card import method
from .reparameterized import AbstractReparameterizedConv2d
from .windows import Size, odd


@method(
    "circle_conv",
    year=2021,
    paper="arXiv:2107.02451",
    tiny={"in_channels": 4, "out_channels": 4, "kernel_size": 3, "padding": 1},
)
class CircleConv2d(AbstractReparameterizedConv2d):
    r"""Circle convolution: each square ring of taps is drawn in to a circle, and read between the pixels.

    The tap at (i, j) goes to $r (i, j) / \sqrt{i^2 + j^2}$ with $r = \max(|i|, |j|)$; those of a 3×3 kernel's
    corners go to $(\pm \sqrt{1/2}, \pm \sqrt{1/2})$. Reading is bilinear, so linear in the pixels:
    $w^T (B x)$ is a convolution with the square kernel $B^T w$, which is what is computed. With a
    dilation the reading is between pixels that far apart.
    Shapes: (batch, in_channels, h, w) -> (batch, out_channels, h', w').
    Errors: `UsageError` for an even kernel size.
    """

    bilinear: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        stride: Size = 1,
        padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
    ):
        odd(kernel_size, "circle_conv")
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias)
        self.register_buffer("bilinear", torch.tensor(circular(kernel_size)), persistent=False)

    def kernel(self) -> Tensor:
        """The weights, shared out to the pixels around their places on the circles."""
        return (self.weight.flatten(2) @ self.bilinear.to(self.weight.dtype)).view_as(self.weight)


def circular(side: int) -> list[list[float]]:
    """For each tap of a square kernel the shares of the pixels that it reads: side² rows of side² numbers."""
    middle, rows = side // 2, []
    for tap in range(side * side):
        down, across = tap // side - middle, tap % side - middle
        pull = max(abs(down), abs(across)) / math.hypot(down, across) if down or across else 0.0
        y, x = middle + pull * down, middle + pull * across
        near = [(max(0.0, 1 - abs(y - i)), max(0.0, 1 - abs(x - i))) for i in range(side)]
        rows.append([near[i][0] * near[j][1] for i in range(side) for j in range(side)])
    return rows
