"""Dynamic convolutions: several kernels, mixed anew for every sample by what its map holds."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .windows import Size, Window, reset


def per_sample_conv2d(
    x: Tensor, kernels: Tensor, bias: Tensor | None, window: Window, groups: int = 1
) -> Tensor:
    """Each sample convolved with kernels of its own, as one grouped convolution.

    Shapes: (b, c, h, w), kernels (b, c', c / groups, height, width), bias (b, c') -> (b, c', h', w').
    """
    batch, moves = x.shape[0], (window.stride, window.padding, window.dilation)
    if not batch:  # no groups at all are no convolution
        return F.conv2d(x, kernels.sum(0), None, *moves, groups)
    rows = None if bias is None else bias.flatten()
    y = F.conv2d(x.flatten(0, 1)[None], kernels.flatten(0, 1), rows, *moves, batch * groups)
    return y[0].unflatten(0, (batch, -1))


class AbstractMixedConv2d(nn.Module):
    r"""A convolution with $\sum_k \pi_k W_k$, mixed of K kernels by shares that each sample has for itself.

    A member says `shares(x)`: (batch, K), or (batch, K, out) for shares of each output channel. Convolution
    is linear in its kernel, so this is $\sum_k \pi_k (W_k * x)$ at the cost of one convolution. Biases are
    mixed too.
    Shapes: (batch, in_channels, h, w) -> (batch, out_channels, h', w').
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size,
        padding: Size,
        dilation: Size,
        groups: int,
        bias: bool,
        kernels: int,
    ):
        super().__init__()
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise UsageError(
                f"{groups} groups do not divide {in_channels} input and {out_channels} output channels"
            )
        if kernels < 1:
            raise UsageError(f"a mixture needs one kernel at least, not kernels={kernels}")
        self.window, self.groups = Window.of(kernel_size, stride, padding, dilation), groups
        self.weight = nn.Parameter(
            torch.empty(kernels, out_channels, in_channels // groups, *self.window.kernel)
        )
        self.bias = nn.Parameter(torch.empty(kernels, out_channels)) if bias else None
        for k in range(kernels):
            reset(self.weight[k], None if self.bias is None else self.bias[k])

    def shares(self, x: Tensor) -> Tensor:
        """How much each kernel counts for each sample."""
        raise NotImplementedError

    def mixed(self, shares: Tensor) -> tuple[Tensor, Tensor | None]:
        """The samples' kernels (b, out, in / groups, height, width) and biases (b, out)."""
        letters = "bko" if shares.ndim == 3 else "bk"
        kernels = torch.einsum(f"{letters},kocij->bocij", shares, self.weight)
        return kernels, None if self.bias is None else torch.einsum(f"{letters},ko->bo", shares, self.bias)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', h', w')
        return per_sample_conv2d(x, *self.mixed(self.shares(x)), self.window, self.groups)

    def extra_repr(self) -> str:
        """The sizes, for printing."""
        return f"{len(self.weight)} kernels of {tuple(self.weight.shape[1:])}, {self.window}"


@method(
    "condconv",
    year=2019,
    paper="arXiv:1904.04971",
    tiny={"in_channels": 4, "out_channels": 4, "kernel_size": 3, "padding": 1, "kernels": 3},
)
class CondConv2d(AbstractMixedConv2d):
    r"""CondConv: kernels mixed by sigmoids of a linear layer on the map's means.

    $W = \sum_k \alpha_k W_k$ with $\alpha = \sigma(R \bar x + r)$, $\bar x$ the mean of each channel. The
    shares are in (0, 1) and do not sum to 1.
    Shapes: (batch, in_channels, h, w) -> (batch, out_channels, h', w').
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        kernels: int = 8,
    ):
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, kernels
        )
        self.router = nn.Linear(in_channels, kernels)

    def shares(self, x: Tensor) -> Tensor:
        """(b, K)."""
        scores: Tensor = self.router(x.mean((2, 3)))
        return scores.sigmoid()


@method(
    "dynet",
    year=2020,
    paper="arXiv:2004.10694",
    aliases=("dynet_conv",),
    tiny={"in_channels": 4, "out_channels": 4, "kernel_size": 3, "padding": 1, "kernels": 3},
)
class DyNetConv2d(AbstractMixedConv2d):
    r"""DyNet convolution: kernels mixed with shares of their own for every output channel.

    $W_o = \sum_k \eta_{ko} W_{ko}$ with $\eta = \sigma(R \bar x + r)$, $\bar x$ the mean of each channel:
    CondConv, with K numbers for each output channel where that has K in all.
    Shapes: (batch, in_channels, h, w) -> (batch, out_channels, h', w').
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        kernels: int = 4,
    ):
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, kernels
        )
        self.router = nn.Linear(in_channels, kernels * out_channels)

    def shares(self, x: Tensor) -> Tensor:
        """(b, K, out)."""
        scores: Tensor = self.router(x.mean((2, 3)))
        return scores.sigmoid().unflatten(1, (len(self.weight), -1))


class Cooling(nn.Module):
    r"""Scores over a temperature $\tau$ that falls evenly to 1 over the first passes of training.

    `passes=0` leaves it at its first value. The count moves in training alone.
    """

    done: Tensor

    def __init__(self, temperature: float, passes: int):
        super().__init__()
        if not temperature > 0 or passes < 0:
            raise UsageError(
                f"a temperature must be above 0 and its passes 0 or more, not {temperature} and {passes}"
            )
        self.temperature, self.passes = temperature, passes
        self.register_buffer("done", torch.zeros((), dtype=torch.long))

    def now(self) -> Tensor | float:
        """The temperature of this pass."""
        if not self.passes:
            return self.temperature
        return self.temperature + (1 - self.temperature) * (self.done / self.passes).clamp(max=1.0)

    def forward(self, scores: Tensor) -> Tensor:
        return scores / self.now()

    def count(self) -> None:
        """A pass is over."""
        if self.training:
            self.done += 1


@method(
    "dynamic_conv",
    year=2019,
    paper="arXiv:1912.03458",
    tiny={
        "in_channels": 4,
        "out_channels": 4,
        "kernel_size": 3,
        "padding": 1,
        "kernels": 3,
        "temperature": 2.0,
    },
)
class DynamicConv2d(AbstractMixedConv2d):
    r"""Dynamic convolution: kernels mixed by a softmax of a small network on the map's means.

    $W = \sum_k \pi_k W_k$ with $\pi = \mathrm{softmax}(z / \tau)$, $z = V \max(0, U \bar x + u) + v$, a
    quarter as wide in the middle. The shares sum to 1. A high $\tau$ makes them equal, so that all kernels
    learn; it falls from `temperature` to 1 over the first `passes` training passes: say as many as the
    paper's ten epochs have.
    Shapes: (batch, in_channels, h, w) -> (batch, out_channels, h', w').
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        kernels: int = 4,
        temperature: float = 30.0,
        passes: int = 1000,
    ):
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, kernels
        )
        between = max(1, in_channels // 4)
        self.router = nn.Sequential(nn.Linear(in_channels, between), nn.ReLU(), nn.Linear(between, kernels))
        self.cooling = Cooling(temperature, passes)

    def shares(self, x: Tensor) -> Tensor:
        """(b, K)."""
        scores: Tensor = self.cooling(self.router(x.mean((2, 3))))
        self.cooling.count()
        return scores.softmax(1)


@method(
    "odconv",
    year=2022,
    paper="arXiv:2209.07947",
    tiny={
        "in_channels": 4,
        "out_channels": 4,
        "kernel_size": 3,
        "padding": 1,
        "kernels": 3,
        "temperature": 2.0,
    },
)
class ODConv2d(AbstractMixedConv2d):
    r"""Omni-dimensional dynamic convolution (ODConv): attention to kernels, taps, inputs and outputs.

    $W = \sum_k \alpha_k\, \alpha_f \odot \alpha_c \odot \alpha_s \odot W_k$: a softmax over the K kernels,
    and sigmoids for each output channel, input channel and tap, all from $h = \max(0, U \bar x + u)$ and over
    a temperature $\tau$ as dynamic convolution has it. $\alpha_f = \alpha_c = \alpha_s = 1$ is that one. The
    last three are shared by the kernels. h has in / `reduction` numbers, 16 at least; no normalisation stands
    before its ReLU, so that single samples can be trained on. There is no bias.
    Shapes: (batch, in_channels, h, w) -> (batch, out_channels, h', w').
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        kernels: int = 4,
        reduction: int = 16,
        temperature: float = 30.0,
        passes: int = 1000,
    ):
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, False, kernels
        )
        between = max(in_channels // reduction, 16)
        self.squeeze = nn.Linear(in_channels, between)
        self.to_kernels = nn.Linear(between, kernels)
        self.to_outputs = nn.Linear(between, out_channels)
        self.to_inputs = nn.Linear(between, in_channels)
        self.to_taps = nn.Linear(between, self.window.kernel[0] * self.window.kernel[1])
        self.cooling = Cooling(temperature, passes)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', h', w')
        h = F.relu(self.squeeze(x.mean((2, 3))))
        shares = self.cooling(self.to_kernels(h)).softmax(1)
        outputs, inputs, taps = (
            self.cooling(head(h)).sigmoid() for head in (self.to_outputs, self.to_inputs, self.to_taps)
        )
        self.cooling.count()
        kernels, _ = self.mixed(shares)
        kernels = kernels * taps.unflatten(1, self.window.kernel)[:, None, None]
        y = per_sample_conv2d(x * inputs[:, :, None, None], kernels, None, self.window, self.groups)
        return y * outputs[:, :, None, None]
