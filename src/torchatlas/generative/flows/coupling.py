"""The affine coupling: one part of the values, seen through a mask, says how the other part moves."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .transforms import Moved, Transform


def alternating(features: int, odd: bool = False) -> Tensor:  # -> (d,)
    """1 at every second value, beginning with the first, or with the second if `odd`."""
    return (torch.arange(features, device="cpu") % 2 == odd).float()


def checkerboard(shape: tuple[int, ...], odd: bool = False) -> Tensor:  # (c, h, w)
    """1 on the squares of one colour, that of the first pixel, or the other if `odd`."""
    squares = torch.arange(shape[1], device="cpu")[:, None] + torch.arange(shape[2], device="cpu")
    return (squares % 2 == odd).float().expand(shape).clone()


def channels(shape: tuple[int, ...], second: bool = False) -> Tensor:  # (c, h, w)
    """1 in the first half of the channels, or in the second."""
    half = torch.arange(shape[0], device="cpu") >= shape[0] // 2
    return (half == second).float()[:, None, None].expand(shape).clone()


class Coupling(Transform):
    r"""Affine coupling: $z_2 = x_2 \odot e^{s(x_1)} + t(x_1)$ with $x_1$ (mask 1) unchanged.

    The determinant is $\sum s$, whatever the network is, which gives twice as many values as it takes: s and
    then t. $s = g \tanh(\cdot)$ with a learned gain per channel that starts at 0.
    """

    mask: Tensor

    def __init__(self, mask: Tensor, net: nn.Module):  # mask: one sample's shape
        super().__init__()
        self.net = net
        self.register_buffer("mask", mask, persistent=False)
        self.gain = nn.Parameter(torch.zeros(len(mask), *(1,) * (mask.ndim - 1)))

    def forward(self, x: Tensor) -> Moved:
        s, t = self._parts(x)
        return x * s.exp() + t, s.flatten(1).sum(1)

    def inverse(self, z: Tensor) -> Moved:
        s, t = self._parts(z)
        return (z - t) * (-s).exp(), -s.flatten(1).sum(1)

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        s, t = self.net(x * self.mask).chunk(2, 1)
        return self.gain * s.tanh() * (1 - self.mask), t * (1 - self.mask)


class ResidualNet(nn.Module):
    """A coupling's network for images: residual blocks of two 3×3 convolutions between two more.

    It sees x, -x and the mask: with zeros where values are hidden, the mask tells a hidden pixel from a 0.
    """

    mask: Tensor

    def __init__(self, mask: Tensor, width: int, blocks: int):  # mask: (c, h, w)
        super().__init__()
        self.register_buffer("mask", mask[None], persistent=False)
        maps = len(mask)
        self.stem = nn.Conv2d(3 * maps, width, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.ReLU(),
                nn.Conv2d(width, width, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(width, width, 3, padding=1),
            )
            for _ in range(blocks)
        )
        self.head = nn.Conv2d(width, 2 * maps, 1)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, 2c, h, w)
        h = self.stem(torch.cat([x, -x, self.mask.expand_as(x)], 1))
        for block in self.blocks:
            h = h + block(h)
        return self.head(F.relu(h))
