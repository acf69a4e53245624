"""Networks of inverted residual blocks in plain functions: what they give, and what they cost."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Function = Callable[[Tensor], Tensor]


class Line(NamedTuple):
    """A block as the papers' tables have it, all channels as they are in the end."""

    kernel: int
    within: int
    channels: int
    between: int
    active: Function
    stride: int
    fused: bool = False


def relu(x: Tensor) -> Tensor:
    return x.clamp(min=0)


def relu6(x: Tensor) -> Tensor:
    return x.clamp(0, 6)


def swish(x: Tensor) -> Tensor:
    return x / (1 + (-x).exp())


def hard_sigmoid(x: Tensor) -> Tensor:
    return (x + 3).clamp(0, 6) / 6


def hard_swish(x: Tensor) -> Tensor:
    return x * hard_sigmoid(x)


def eights(width: float) -> int:
    """The nearest multiple of 8 (a half goes up), or the next where that is below 90 %."""
    near = max(8, math.floor(width / 8 + 0.5) * 8)
    return near + 8 if near < 0.9 * width else near


def shaken(net: nn.Module) -> nn.Module:
    """In double precision and evaluation, with statistics as after training and gates that are felt."""
    numbers = torch.Generator().manual_seed(0)
    for name, value in net.double().state_dict().items():
        if value.is_floating_point() and value.ndim == 1:
            value.copy_(torch.rand(value.shape, generator=numbers) + (0.5 if "var" in name else -0.3))
        elif "gate" in name:
            value.copy_(2 * torch.randn(value.shape, generator=numbers))
    return net.eval()


class Plain:
    """A network's weights in their order, used up layer by layer."""

    def __init__(self, net: nn.Module, eps: float):
        self.weights, self.eps = iter(net.state_dict().values()), eps

    def conv(self, x: Tensor, stride: int = 1, groups: int = 1) -> Tensor:
        kernel = next(self.weights)
        x = F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2, groups=groups)
        gain, shift, mean, variance, _ = (next(self.weights) for _ in range(5))
        gain, shift, mean, variance = (v[:, None, None] for v in (gain, shift, mean, variance))
        return gain * (x - mean) / (variance + self.eps).sqrt() + shift

    def linear(self, x: Tensor) -> Tensor:
        return x @ next(self.weights).flatten(1).T + next(self.weights)

    def block(self, x: Tensor, line: Line, squeeze: Function, gate: Function) -> Tensor:
        around, widens = x, line.within != x.shape[1]
        if line.fused:
            x = line.active(self.conv(x, line.stride))
        else:
            x = line.active(self.conv(x)) if widens else x
            x = line.active(self.conv(x, line.stride, x.shape[1]))
        if line.between:
            between = squeeze(self.linear(x.mean((2, 3))))
            assert between.shape[1] == line.between
            scores = self.linear(between)
            x = x * gate(scores)[:, :, None, None]
        if widens or not line.fused:
            x = self.conv(x)
        return x + around if x.shape == around.shape else x

    def network(
        self, x: Tensor, lines: list[Line], active: Function, squeeze: Function, gate: Function, small: bool
    ) -> Tensor:
        """From the image to the map before the neck; small images are spared two halvings."""
        x = active(self.conv(x, 1 if small else 2))
        for line in lines:
            if small and line.stride == 2:
                line, small = line._replace(stride=1), False
            x = self.block(x, line, squeeze, gate)
        return x


class Costs:
    """Parameters and multiply-adds, layer by layer."""

    def __init__(self, side: int):
        self.channels, self.side, self.parameters, self.products = 3, side, 0, 0

    def conv(self, channels: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        self.side = math.ceil(self.side / stride)
        weights = kernel**2 * self.channels // groups * channels
        self.parameters += weights + 2 * channels
        self.products += weights * self.side**2
        self.channels = channels

    def linear(self, features: int) -> None:
        self.parameters += (self.channels + 1) * features
        self.products += self.channels * features
        self.channels = features

    def block(self, line: Line) -> None:
        widens = line.within != self.channels
        if line.fused:
            self.conv(line.within if widens else line.channels, line.kernel, line.stride)
        else:
            if widens:
                self.conv(line.within)
            self.conv(line.within, line.kernel, line.stride, line.within)
        if line.between:
            self.linear(line.between)
            self.linear(line.within)
        if widens or not line.fused:
            self.conv(line.channels)


def costs(stem: int, lines: list[Line], last: int, hidden: int = 0, side: int = 224) -> tuple[int, int]:
    """Those of a whole network for 1000 classes."""
    sums = Costs(side)
    sums.conv(stem, 3, 2)
    for line in lines:
        sums.block(line)
    sums.conv(last)
    if hidden:
        sums.linear(hidden)
    sums.linear(1000)
    return sums.parameters, sums.products
