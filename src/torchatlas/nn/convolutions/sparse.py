"""Sparse convolutions: only where something is."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from .windows import Size, around, odd, pair


@method(
    "sparse_conv",
    year=2014,
    paper="arXiv:1409.6070",
    aliases=("spatially_sparse_conv",),
    tiny={"in_channels": 4, "out_channels": 4, "kernel_size": 3, "padding": 1},
)
class SparseConv2d(nn.Module):
    r"""Spatially sparse convolution: one whose output is zero wherever no input in the window is active.

    $y(p) = a'(p) (\sum_t w(t) a(p + t) x(p + t) + b)$, with $a$ the active sites, those that are given or
    those where any channel is not 0, and $a'(p) = 1$ where $a$ is active anywhere in the window.
    Maps are dense tensors with their active sites beside them, so a call costs what a convolution costs; the
    results are those of kernels that visit active sites only.
    Shapes: (batch, in_channels, h, w), active (batch, 1, h, w) of bool -> (batch, out_channels, h', w').
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        dilation: Size = 1,
        bias: bool = True,
    ):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, dilation, bias=bias)

    def sites(self, active: Tensor) -> Tensor:
        """The output's active sites, for the next layer: (batch, 1, h, w) -> (batch, 1, h', w') of bool."""
        conv = self.conv
        ones = torch.ones(1, 1, *pair(conv.kernel_size), device=active.device)  # type: ignore[arg-type]
        return F.conv2d(active.float(), ones, None, conv.stride, conv.padding, conv.dilation) > 0.5

    def forward(self, x: Tensor, active: Tensor | None = None) -> Tensor:  # (b, c, h, w) -> (b, c', h', w')
        if active is None:
            active = (x != 0).any(1, keepdim=True)
        y: Tensor = self.conv(torch.where(active, x, 0.0))
        return torch.where(self.sites(active), y, 0.0)


@method(
    "submanifold_conv",
    year=2017,
    paper="arXiv:1711.10275",
    tiny={"in_channels": 4, "out_channels": 4, "kernel_size": 3},
)
class SubmanifoldConv2d(SparseConv2d):
    r"""Submanifold sparse convolution: a sparse one whose output is active where the window's middle is.

    So the active sites stay as they are from layer to layer, where a sparse convolution makes them grow.
    `at(features, coordinates, size)` computes the same from a list of sites, with work that grows with the
    sites and not with the map.
    Shapes: (batch, in_channels, h, w), active (batch, 1, h, w) of bool -> (batch, out_channels, h, w).
    Errors: `UsageError` for a kernel with an even side.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size = 3,
        dilation: Size = 1,
        bias: bool = True,
    ):
        kernel, gaps = odd(kernel_size, "submanifold_conv"), pair(dilation)
        super().__init__(in_channels, out_channels, kernel, 1, around(kernel, gaps), gaps, bias)

    def sites(self, active: Tensor) -> Tensor:
        """The active sites of the output: those of the input."""
        return active

    def at(self, features: Tensor, coordinates: Tensor, size: tuple[int, int, int]) -> Tensor:
        """The same from a list of n active sites, each with its sample, row and column, none twice.

        Each tap looks its neighbours up in a table of the map and multiplies their features, all at once.
        Shapes: features (n, in_channels), coordinates (n, 3) of long, size (batch, h, w) -> (n,
        out_channels).
        """
        weight, bias = self.conv.weight, self.conv.bias
        (down, across), (kh, kw) = pair(self.conv.dilation), weight.shape[2:]  # type: ignore[arg-type]
        top, left = down * (kh // 2), across * (kw // 2)
        batch, height, width = size
        sample, row, column = coordinates.unbind(1)
        count = features.shape[0]
        table = coordinates.new_full((batch, height + 2 * top, width + 2 * left), count)
        numbers = torch.arange(count, device=coordinates.device)
        table = table.index_put((sample, row + top, column + left), numbers)
        known = torch.cat([features, features.new_zeros(1, features.shape[1])])  # the last: no site there
        total = features.new_zeros(count, weight.shape[0]) if bias is None else bias.expand(count, -1)
        for i in range(kh):
            for j in range(kw):
                near = table[sample, row + down * i, column + across * j]
                total = total + known[near] @ weight[:, :, i, j].T
        return total
