"""Deformable convolutions: taps that move to where the map tells them."""

from typing import cast

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .windows import Size, Window, wide


@method(
    "deformable_conv",
    year=2017,
    paper="arXiv:1703.06211",
    aliases=("deformable_conv_v1",),
    tiny={"in_channels": 4, "out_channels": 4, "kernel_size": 3, "padding": 1},
)
class DeformableConv2d(nn.Module):
    r"""Deformable convolution: each tap of a window is shifted by an offset that another convolution gives.

    $y(p) = \sum_t w(t) x(p + t + \Delta_t(p)) + b$, read bilinearly between pixels, with zeros outside of the
    map. The offsets' convolution has the same window and starts at zero, so the layer starts as a
    convolution. Its channels hold, for each of `offset_groups` and each tap in turn, the shift down and the
    shift across, in pixels. The paper trains it at a tenth of the rate: give `layer.offsets` a parameter
    group of its own.
    Shapes: (batch, in_channels, h, w) -> (batch, out_channels, h', w').
    Errors: `UsageError` where the offset groups do not divide the input channels.
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
        offset_groups: int = 1,
    ):
        super().__init__()
        if offset_groups < 1 or in_channels % offset_groups:
            raise UsageError(f"{offset_groups} offset groups do not divide {in_channels} input channels")
        self.window = window = Window.of(kernel_size, stride, padding, dilation)
        self.conv = nn.Conv2d(
            in_channels, out_channels, window.kernel, window.kernel, groups=groups, bias=bias
        )
        taps = offset_groups * window.kernel[0] * window.kernel[1]
        self.offsets = _silent(in_channels, 2 * taps, window)

    def modulation(self, x: Tensor) -> Tensor | None:
        """What each tap is multiplied by, (batch, offset_groups · taps, h', w'); None for 1."""
        return None

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', h', w')
        y: Tensor = self.conv(deformed(x, self.offsets(x), self.window, self.modulation(x)))
        return y


@method(
    "deformable_conv_v2",
    year=2018,
    paper="arXiv:1811.11168",
    aliases=("modulated_deformable_conv",),
    tiny={"in_channels": 4, "out_channels": 4, "kernel_size": 3, "padding": 1},
)
class ModulatedDeformableConv2d(DeformableConv2d):
    r"""Modulated deformable convolution (v2): a deformable one whose taps can also fade.

    $y(p) = \sum_t w(t) m_t(p) x(p + t + \Delta_t(p)) + b$ with $m = \sigma(z)$ from a third convolution,
    which starts at zero: at first every tap counts one half.
    Shapes and errors are those of the deformable convolution.
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
        offset_groups: int = 1,
    ):
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, offset_groups
        )
        self.masks = _silent(in_channels, self.offsets.out_channels // 2, self.window)

    def modulation(self, x: Tensor) -> Tensor:
        """The taps' shares, from 0 to 1."""
        return cast(Tensor, self.masks(x)).sigmoid()


def _silent(in_channels: int, out_channels: int, window: Window) -> nn.Conv2d:
    """A convolution with a window that gives zeros at first."""
    conv = nn.Conv2d(in_channels, out_channels, window.kernel, window.stride, window.padding, window.dilation)
    nn.init.zeros_(conv.weight)
    nn.init.zeros_(cast(Tensor, conv.bias))
    return conv


def deformed(x: Tensor, offsets: Tensor, window: Window, mask: Tensor | None = None) -> Tensor:
    """The map as its shifted windows see it, each written out as a block of its own.

    A convolution whose stride is its kernel then does the rest.
    Shapes: (b, c, h, w), offsets (b, 2 · groups · taps, h', w') and mask (b, groups · taps, h', w') ->
    (b, c, height h', width w') for a window of height × width.
    """
    (batch, channels), (kh, kw), size = x.shape[:2], window.kernel, offsets.shape[-2:]
    groups = offsets.shape[1] // (2 * kh * kw)
    values, shifts = wide(x, offsets)
    down, across = shifts.unflatten(1, (groups, kh, kw, 2)).unbind(4)  # (b, g, kh, kw, h', w')
    y = down + (_starts(size[0], window, 0, down)[:, None] + _taps(window, 0, down)[:, None, None, None])
    x_ = across + (_starts(size[1], window, 1, across) + _taps(window, 1, across)[:, None, None])
    share = None if mask is None else mask.unflatten(1, (groups, kh, kw)).to(values.dtype)
    seen = _bilinear(values.unflatten(1, (groups, -1)), y, x_, share)  # (b, g, c/g, kh, kw, h', w')
    blocks = seen.permute(0, 1, 2, 5, 3, 6, 4)  # (b, g, c/g, h', kh, w', kw)
    return blocks.reshape(batch, channels, size[0] * kh, size[1] * kw).to(x.dtype)


def _starts(count: int, window: Window, axis: int, like: Tensor) -> Tensor:
    """Where windows begin on an axis, in pixels of the map."""
    steps = torch.arange(count, device=like.device, dtype=like.dtype)
    return steps * window.stride[axis] - window.padding[axis]


def _taps(window: Window, axis: int, like: Tensor) -> Tensor:
    """Where taps lie in their window on an axis."""
    steps = torch.arange(window.kernel[axis], device=like.device, dtype=like.dtype)
    return steps * window.dilation[axis]


def _bilinear(x: Tensor, down: Tensor, across: Tensor, share: Tensor | None) -> Tensor:
    """Values between pixels, times a share: (b, g, c, h, w) at places (b, g, …) -> (b, g, c, …).

    Gathered corner by corner rather than by `grid_sample`, which has no second derivatives.
    """
    (rows, tall), (columns, broad) = (
        _neighbours(*side) for side in ((down, x.shape[3]), (across, x.shape[4]))
    )
    flat, total = x.flatten(3), x.new_zeros(())
    for i in (0, 1):
        near = tall[i] if share is None else tall[i] * share
        for j in (0, 1):
            index = (rows[i] * x.shape[4] + columns[j]).flatten(2)[:, :, None].expand(-1, -1, x.shape[2], -1)
            seen = flat.gather(3, index).unflatten(3, down.shape[2:])
            total = torch.addcmul(total, seen, (near * broad[j])[:, :, None])
    return total


def _neighbours(place: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The two pixels of an axis around each place and their shares, 0 for those outside: two of (2, …)."""
    first = place.floor()
    both = torch.stack([first, first + 1])
    inside = (both >= 0) & (both < count)
    return both.long().clamp(0, count - 1), inside * (1 - (place - both).abs())
