"""Networks that see how noisy their input is: a U-Net for images, a perceptron for rows."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .mlp import MLP

FAINT = 0.01  # how much of their usual start weights keep that should begin near zero
SMALLEST = 4  # no level is smaller than this, in pixels


def time_embedding(t: Tensor, width: int, longest: float = 10_000.0) -> Tensor:  # (b,) -> (b, width)
    r"""Sines, then cosines, of $t \cdot 10000^{-k/(w/2 - 1)}$."""
    half = width // 2
    rates = torch.exp(torch.arange(half, device=t.device) * (-math.log(longest) / (half - 1)))
    angles = t[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], 1)


class TimeMLP(nn.Module):
    """A perceptron for rows that sees the time beside them: (b, d), (b,) -> (b, d)."""

    def __init__(self, features: int, hidden: int | Sequence[int] = (128, 128, 128), width: int = 64):
        super().__init__()
        self.width = width
        self.body = MLP(features + width, features, hidden, nn.SiLU)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.body(torch.cat([x, time_embedding(t, self.width).to(x.dtype)], 1))


class TimedBlock(nn.Module):
    """Residual block of two 3×3 convolutions, with the time added between them."""

    def __init__(self, inputs: int, outputs: int, time: int, dropout: float):
        super().__init__()
        self.first = nn.Sequential(_norm(inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1))
        self.time = nn.Sequential(nn.SiLU(), nn.Linear(time, outputs))
        last = _faint(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.second = nn.Sequential(_norm(outputs), nn.SiLU(), nn.Dropout(dropout), last)
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:  # (b, c, h, w), (b, time) -> (b, c', h, w)
        h = self.first(x) + self.time(time)[:, :, None, None]
        return self.shortcut(x) + self.second(h)


class PixelAttention(nn.Module):
    """Every pixel attends to every pixel, with one head, beside a shortcut."""

    def __init__(self, width: int):
        super().__init__()
        self.norm, self.qkv = _norm(width), nn.Conv2d(width, 3 * width, 1)
        self.out = _faint(nn.Conv2d(width, width, 1))

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c, h, w)
        q, k, v = self.qkv(self.norm(x)).flatten(2).mT.unsqueeze(1).chunk(3, -1)  # (b, 1, hw, c)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return x + self.out(mixed.squeeze(1).mT.reshape(x.shape))


class DiffusionUNet(nn.Module):
    """The U-Net of denoising diffusion: down by halves, and up again beside what was seen on the way.

    `multiples` gives each level's width as multiples of `width`, `blocks` its residual blocks (one more on
    the way up), `attention` the levels (0 is the full size) whose blocks are followed by attention, as is one
    in the middle. Levels end before an odd size or one below 4. The last convolution of each block, and of
    all, begins near zero. The paper's for 32×32 images: width 128, multiples (1, 2, 2, 2), two blocks,
    attention at level 1, dropout 0.1; it has 35,746,307 parameters.
    Shapes: images (b, c, h, w) and times (b,) -> (b, c, h, w).
    """

    def __init__(
        self,
        in_channels: int = 3,
        input_size: tuple[int, int] = (32, 32),
        width: int = 128,
        multiples: Sequence[int] = (1, 2, 2, 2),
        blocks: int = 2,
        attention: Sequence[int] = (1,),
        dropout: float = 0.0,
    ):
        super().__init__()
        self.width, time = width, 4 * width
        widths = [width * m for m in multiples[: _levels(input_size, len(multiples))]]
        self.time = nn.Sequential(nn.Linear(width, time), nn.SiLU(), nn.Linear(time, time))
        self.stem = nn.Conv2d(in_channels, width, 3, padding=1)

        def step(inputs: int, outputs: int, attends: bool) -> nn.ModuleList:
            block = TimedBlock(inputs, outputs, time, dropout)
            return nn.ModuleList([block, PixelAttention(outputs) if attends else nn.Identity()])

        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        now, seen = width, [width]
        for level, wide in enumerate(widths):
            for _ in range(blocks):
                self.down.append(step(now, wide, level in attention))
                now = wide
                seen.append(now)
            if level + 1 < len(widths):
                self.down.append(nn.Conv2d(now, now, 3, 2, 1))
                seen.append(now)
        self.middle = nn.ModuleList([step(now, now, True), step(now, now, False)])
        for level, wide in reversed([*enumerate(widths)]):
            for _ in range(blocks + 1):
                self.up.append(step(now + seen.pop(), wide, level in attention))
                now = wide
            if level:
                bigger = nn.Upsample(scale_factor=2, mode="nearest")
                self.up.append(nn.Sequential(bigger, nn.Conv2d(now, now, 3, padding=1)))
        self.head = nn.Sequential(_norm(now), nn.SiLU(), _faint(nn.Conv2d(now, in_channels, 3, padding=1)))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        time = self.time(time_embedding(t, self.width).to(x.dtype))
        h = self.stem(x)
        seen = [h]
        for part in self.down:
            h = _through(part, h, time)
            seen.append(h)
        for part in self.middle:
            h = _through(part, h, time)
        for part in self.up:
            if isinstance(part, nn.ModuleList):
                h = torch.cat([h, seen.pop()], 1)
            h = _through(part, h, time)
        return self.head(h)


def _through(part: nn.Module, h: Tensor, time: Tensor) -> Tensor:
    """A residual block with its attention, or a change of size."""
    if isinstance(part, nn.ModuleList):
        block, attention = part
        return attention(block(h, time))
    return part(h)


def _levels(size: tuple[int, int], most: int) -> int:
    levels, (height, width) = 1, size
    while levels < most and height % 2 == 0 and width % 2 == 0 and min(height, width) >= 2 * SMALLEST:
        levels, height, width = levels + 1, height // 2, width // 2
    return levels


def _norm(channels: int) -> nn.GroupNorm:
    """The paper's 32 groups, or fewer where a group would have less than four channels."""
    return nn.GroupNorm(math.gcd(32, max(1, channels // 4)), channels)


def _faint(layer: nn.Conv2d) -> nn.Conv2d:
    with torch.no_grad():
        layer.weight.mul_(FAINT)
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
