"""Involution: the convolution inside out, kernels that differ by place and are shared by channels."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ..pooling.windows import window_means
from .windows import odd


@method(
    "involution",
    year=2021,
    paper="arXiv:2103.06255",
    tiny={"channels": 4, "kernel_size": 3, "group_channels": 2, "reduction": 2},
)
class Involution2d(nn.Module):
    r"""Involution: each pixel makes its own kernel from its own channels, shared by the channels of a group.

    $y_c(p) = \sum_t H_{g(c) t}(p)\, x_c(p + t)$ with $H(p) = W_1 \max(0, \mathrm{BN}(W_0 x(p)))$, `reduction`
    times narrower in the middle. For a stride above 1 the kernels come from the means of stride × stride
    pixels. The border is padded by (f - 1) / 2 zeros. Taps are added one by one, so no map of all windows is
    kept.
    Shapes: (batch, channels, h, w) -> (batch, channels, ⌈h / stride⌉, ⌈w / stride⌉).
    Errors: `UsageError` for an even kernel size, or groups that do not divide the channels.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int = 7,
        stride: int = 1,
        dilation: int = 1,
        group_channels: int = 16,
        reduction: int = 4,
    ):
        super().__init__()
        odd(kernel_size, "involution")
        if group_channels < 1 or channels % group_channels:
            raise UsageError(f"groups of {group_channels} channels do not divide {channels}")
        self.kernel_size, self.stride, self.dilation = kernel_size, stride, dilation
        self.groups, between = channels // group_channels, max(1, channels // reduction)
        self.reduce = nn.Conv2d(channels, between, 1, bias=False)
        self.norm = nn.BatchNorm2d(between)
        self.span = nn.Conv2d(between, self.groups * kernel_size**2, 1)

    def kernels(self, x: Tensor) -> Tensor:
        """The pixels' kernels, (b, groups, 1, f², h', w')."""
        if self.stride > 1:
            x = window_means(x, self.stride)
        made: Tensor = self.span(F.relu(self.norm(self.reduce(x))))
        return made.unflatten(1, (self.groups, 1, -1))

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c, h', w')
        kernels = self.kernels(x)
        side, step, gap = self.kernel_size, self.stride, self.dilation
        edge = gap * (side - 1) // 2
        padded = F.pad(x, (edge,) * 4).unflatten(1, (self.groups, -1))
        tall, broad = (step * (n - 1) + 1 for n in kernels.shape[-2:])
        total = padded.new_zeros(())
        for tap in range(side * side):
            top, left = gap * (tap // side), gap * (tap % side)
            seen = padded[..., top : top + tall : step, left : left + broad : step]
            total = torch.addcmul(total, kernels[:, :, :, tap], seen)  # (b, g, c/g, h', w')
        return total.flatten(1, 2)
