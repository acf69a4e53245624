"""The inception convolution: every output channel with dilations of its own."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .windows import Size, around, odd, pair, reset

Dilations = Sequence[tuple[int, int]]


@method(
    "inception_conv",
    year=2020,
    paper="arXiv:2012.13587",
    aliases=("ic_conv",),
    tiny={"in_channels": 4, "out_channels": 4, "kernel_size": 3, "dilations": 2},
)
class InceptionConv2d(nn.Module):
    r"""Inception convolution (IC-Conv): each output channel has its own dilation down and across.

    $y_o(p) = \sum_t w_o(t) x(p + d_o t) + b_o$, with $d_o$ a pair of dilations. `dilations` gives one pair
    for each output channel, or the largest d: then all pairs from (1, 1) to (d, d) take turns. `searched`
    chooses them as the paper does. The border is padded so that all channels keep the map's size at stride 1.
    Shapes: (batch, in_channels, h, w) -> (batch, out_channels, ⌈h / stride⌉, ⌈w / stride⌉).
    Errors: `UsageError` for a kernel with an even side, or for pairs that are not one for each channel.
    """

    order: Tensor
    back: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size = 3,
        stride: Size = 1,
        dilations: int | Dilations = 4,
        bias: bool = True,
    ):
        super().__init__()
        self.kernel, self.stride = odd(kernel_size, "inception_conv"), pair(stride)
        if isinstance(dilations, int):
            each = range(1, dilations + 1)
            pairs = [(down, across) for down in each for across in each] or [(0, 0)]
            dilations = [pairs[channel % len(pairs)] for channel in range(out_channels)]
        self.dilations = tuple((down, across) for down, across in dilations)
        if len(self.dilations) != out_channels or any(min(each) < 1 for each in self.dilations):
            raise UsageError(
                f"inception_conv needs a pair of dilations from 1 on for each of {out_channels} channels, "
                f"not {dilations}"
            )
        order = sorted(range(out_channels), key=self.dilations.__getitem__)
        back = sorted(range(out_channels), key=order.__getitem__)
        self.register_buffer("order", torch.tensor(order), persistent=False)
        self.register_buffer("back", torch.tensor(back), persistent=False)
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, *self.kernel))
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        reset(self.weight, self.bias)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', h', w')
        each = sorted(set(self.dilations))
        weights = self.weight[self.order].split([self.dilations.count(dilation) for dilation in each])
        maps = [
            F.conv2d(x, weight, None, self.stride, around(self.kernel, dilation), dilation)
            for dilation, weight in zip(each, weights)
        ]
        y = torch.cat(maps, 1)[:, self.back]
        return y if self.bias is None else y + self.bias[:, None, None]

    @classmethod
    def searched(cls, conv: nn.Conv2d, x: Tensor, kernel_size: Size = 3) -> "InceptionConv2d":
        r"""The layer that comes nearest to a trained convolution with a large kernel, channel by channel.

        Of all dilated patterns of `kernel_size` inside the large kernel each output channel takes the one for
        which $E \| W x - W' x \|_1$ is smallest on the maps x, W' being W without all other taps; its weights
        are the pattern's. Raises `UsageError` where the kernel has no middle, or is in groups, dilated or
        padded to another size.
        """
        kernel = odd(kernel_size, "inception_conv")
        large, stride = odd((conv.weight.shape[2], conv.weight.shape[3]), "the search"), _moves(conv)
        most = [max(1, (wide - 1) // max(1, small - 1)) for wide, small in zip(large, kernel)]
        choices = [(down, across) for down in range(1, most[0] + 1) for across in range(1, most[1] + 1)]
        with torch.no_grad():
            whole, losses = F.conv2d(x, conv.weight, None, stride, around(large)), []
            for dilation in choices:
                weight = _pattern(conv.weight, kernel, dilation)
                part = F.conv2d(x, weight, None, stride, around(kernel, dilation), dilation)
                losses.append((part - whole).abs().mean((0, 2, 3)))
            chosen = [choices[k] for k in torch.stack(losses).argmin(0).tolist()]
            biased = conv.bias is not None
            made = cls(conv.in_channels, conv.out_channels, kernel, stride, chosen, biased).to(conv.weight)
            rows = [_pattern(conv.weight[o : o + 1], kernel, d) for o, d in enumerate(chosen)]
            made.weight.copy_(torch.cat(rows))
            if made.bias is not None and conv.bias is not None:
                made.bias.copy_(conv.bias)
        return made


def _moves(conv: nn.Conv2d) -> tuple[int, int]:
    """The stride of a convolution whose dilated patterns can be searched; UsageError for others."""
    large = (conv.weight.shape[2], conv.weight.shape[3])
    if conv.groups > 1 or tuple(conv.dilation) != (1, 1) or conv.padding != around(large):
        raise UsageError(
            "the search is for a convolution without groups and dilation, padded to keep its size"
        )
    down, across = conv.stride
    return down, across


def _pattern(weight: Tensor, kernel: tuple[int, int], dilation: tuple[int, int]) -> Tensor:
    """The taps of a small dilated kernel around the middle of a large one: (o, c, H, W) -> (o, c, h, w)."""
    (top, left), middle = around(kernel, dilation), (weight.shape[2] // 2, weight.shape[3] // 2)
    down = slice(middle[0] - top, middle[0] + top + 1, dilation[0])
    return weight[:, :, down, middle[1] - left : middle[1] + left + 1 : dilation[1]]
