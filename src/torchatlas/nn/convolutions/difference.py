"""Difference convolutions: windows of differences between pixels, where others see the pixels themselves."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .reparameterized import AbstractReparameterizedConv2d, placed
from .windows import Size, odd, reset

THREE = (3, 3)


@method(
    "cdc",
    year=2020,
    paper="arXiv:2003.04092",
    aliases=("central_difference_conv",),
    tiny={"in_channels": 4, "out_channels": 4, "kernel_size": 3, "padding": 1},
)
class CentralDifferenceConv2d(AbstractReparameterizedConv2d):
    r"""Central difference convolution: a convolution from which a share of the window's middle is taken off.

    $y(p) = \sum_t w(t) x(p + t) - \theta x(p) \sum_t w(t)$: a share $\theta$ of differences to the middle
    pixel, and $1 - \theta$ of a convolution. $\theta = 0$ is the convolution; $\theta = 1$ makes 0 of what is
    constant.
    Shapes: (batch, in_channels, h, w) -> (batch, out_channels, h', w').
    Errors: `UsageError` for a kernel with an even side or a theta outside [0, 1].
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size = 3,
        stride: Size = 1,
        padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        theta: float = 0.7,
    ):
        kernel_size = odd(kernel_size, "cdc")
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias)
        self.theta = _share(theta)

    def kernel(self) -> Tensor:
        """The weights, less their share at the middle."""
        height, width = (side // 2 for side in self.kernel_size)
        total = self.weight.sum((2, 3), keepdim=True)
        return self.weight - self.theta * F.pad(total, (width, width, height, height))


CROSSES = {"hv": (1, 3, 4, 5, 7), "dg": (0, 2, 4, 6, 8)}  # places in a 3×3 window; 4 is the middle


class _ThreeByThree(AbstractReparameterizedConv2d):
    """A 3×3 window of which only some places have a weight: `weight` is (out, in / groups, places)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        places: int,
        stride: Size,
        padding: Size,
        dilation: Size,
        groups: int,
        bias: bool,
    ):
        super().__init__(in_channels, out_channels, 3, stride, padding, dilation, groups, bias)
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels // groups, places))
        reset(self.weight, self.bias)


@method(
    "cross_cdc",
    year=2021,
    paper="arXiv:2105.01290",
    tiny={"in_channels": 4, "out_channels": 4, "padding": 1},
    variants={"cross_cdc_dg": {"cross": "dg"}},
)
class CrossCentralDifferenceConv2d(_ThreeByThree):
    r"""Cross central difference convolution: a central difference convolution of five pixels in a cross.

    $y(p) = \sum_t w(t) x(p + t) - \theta x(p) \sum_t w(t)$, t over the middle and its four neighbours in the
    row and the column (`cross="hv"`) or on the diagonals ("dg"): 5 weights in place of 9.
    Shapes: (batch, in_channels, h, w) -> (batch, out_channels, h', w').
    Errors: `UsageError` for another cross, another kernel size than 3, or a theta outside [0, 1].
    """

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
        theta: float = 0.7,
        cross: str = "hv",
    ):
        if cross not in CROSSES:
            raise UsageError(f"cross_cdc's cross is {' or '.join(CROSSES)}, not {cross!r}")
        _three(kernel_size, "cross_cdc")
        super().__init__(in_channels, out_channels, 5, stride, padding, dilation, groups, bias)
        self.theta, self.cross = _share(theta), cross

    def kernel(self) -> Tensor:
        """The five weights in their places, less their share at the middle."""
        taps = dict(zip(CROSSES[self.cross], self.weight.unbind(2)))
        taps[4] = taps[4] - self.theta * self.weight.sum(2)
        return placed(taps, THREE)


AROUND = (0, 1, 2, 3, 5, 6, 7, 8)  # the neighbours of the middle, row by row
BEFORE = (3, 0, 1, 6, 2, 7, 8, 5)  # and the one that comes before each, clockwise


@method(
    "pdc",
    year=2021,
    paper="arXiv:2108.07009",
    aliases=("pixel_difference_conv",),
    tiny={"in_channels": 4, "out_channels": 4, "padding": 2},
    variants={"cpdc": {"form": "central"}, "apdc": {"form": "angular"}, "rpdc": {"form": "radial"}},
)
class PixelDifferenceConv2d(_ThreeByThree):
    r"""Pixel difference convolution: eight weights on eight differences of pixels; constant maps become 0.

    $y = \sum_i w_i (x_i - x'_i)$. `form="central"`: the 8 neighbours, less the middle. "angular": each
    neighbour, less the next one clockwise. "radial": the 8 outer pixels two steps away, in rows, columns and
    diagonals, less those one step away; its window is 5×5, so padding 2 keeps the size, where 1 does for the
    others.
    Shapes: (batch, in_channels, h, w) -> (batch, out_channels, h', w').
    Errors: `UsageError` for another form, or another kernel size than 3.
    """

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
        form: str = "central",
    ):
        if form not in ("central", "angular", "radial"):
            raise UsageError(f"pdc's form is central, angular or radial, not {form!r}")
        _three(kernel_size, "pdc")
        super().__init__(in_channels, out_channels, 8, stride, padding, dilation, groups, bias)
        self.form = form

    def kernel(self) -> Tensor:
        """The kernel of a convolution that does the same: what each pixel is multiplied by in all."""
        taps = dict(zip(AROUND, self.weight.unbind(2)))
        if self.form == "central":
            return placed({**taps, 4: -self.weight.sum(2)}, THREE)
        if self.form == "angular":
            return placed({here: taps[here] - taps[before] for here, before in zip(AROUND, BEFORE)}, THREE)
        rings = {}
        for place, tap in taps.items():
            down, across = place // 3 - 1, place % 3 - 1
            rings[5 * (2 + 2 * down) + 2 + 2 * across] = tap
            rings[5 * (2 + down) + 2 + across] = -tap
        return placed(rings, (5, 5))


def _three(kernel_size: int, name: str) -> None:
    if kernel_size != 3:
        raise UsageError(f"{name} is of 3×3 windows: say kernel_size=3, not {kernel_size}")


def _share(theta: float) -> float:
    if not 0 <= theta <= 1:
        raise UsageError(f"theta is a share from 0 to 1, not {theta}")
    return theta
