"""CompConv: a convolution that makes a few channels, and more and more from these and from its input."""

import math

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .windows import Size, around, odd, pair

DEEPEST = 3


@method(
    "compconv",
    year=2021,
    paper="arXiv:2106.10486",
    tiny={"in_channels": 4, "out_channels": 14, "kernel_size": 3, "depth": 2},
)
class CompConv2d(nn.Module):
    r"""CompConv: divides and conquers, so that nearly all convolutions are between a part of the channels.

    Units of c, c, 2c, 2c, 4c, 4c … channels, in pairs, are put together: with depth d and o channels out,
    $c = \lceil o / (2 (2^d - 1)) \rceil$. Of each pair the first, B, is convolved and the second, A, is
    cheap: the smallest B is a convolution of the input, each further one of the pair before it; A is copied
    from the input, but for the largest, which is a depthwise convolution of its B. What is more than o is cut
    from that A; then the channels of two halves are shuffled. It has
    $f^2 (i c + \sum_{k=1}^{d-1} (2^k c)^2 + 2^{d-1} c)$ weights for i channels in: with d = 3 and as many in
    as out less than a fifth of a convolution's.
    The depth is $\min(\lfloor \log_2 \max(1, i / C_0) \rfloor + 1, 3)$, with `base` for $C_0$ (128 gives
    the paper's CompConv128), or `depth` itself. Copies are taken in order, again from the first channel where
    the input has too few, and of each pixel that the stride meets. Borders are filled with zeros such that
    the size stays at stride 1.
    Shapes: (batch, in_channels, h, w) -> (batch, out_channels, ⌈h/stride⌉, ⌈w/stride⌉).
    Errors: `UsageError` for even kernels and odd channels out, and for fewer channels than the depth makes.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        bias: bool = False,
        base: int = 128,
        depth: int | None = None,
    ):
        super().__init__()
        kernel = odd(kernel_size, "compconv")
        if base < 1 or out_channels % 2 or (depth is not None and depth < 1):
            raise UsageError(
                "compconv wants an even number of channels out, base and depth above 0, not "
                f"out_channels={out_channels}, base={base}, depth={depth}"
            )
        if depth is None:
            depth = min(max(1, in_channels // base).bit_length(), DEEPEST)
        few = math.ceil(out_channels / (2 * (2**depth - 1)))
        largest = few * 2 ** (depth - 1)
        if out_channels <= 2 * (2**depth - 1) * few - largest:
            raise UsageError(f"depth={depth} makes more than {out_channels} channels: say a smaller one")
        self.stride, self.out_channels = pair(stride), out_channels
        self.copied = [few * 2**k for k in range(depth - 1)]
        words = {"padding": around(kernel), "bias": bias}
        convs = [nn.Conv2d(in_channels, few, kernel, self.stride, **words)]  # type: ignore[arg-type]
        convs += [nn.Conv2d(2 * c, 2 * c, kernel, **words) for c in self.copied]  # type: ignore[arg-type]
        self.convs = nn.ModuleList(convs)
        self.tail = nn.Conv2d(largest, largest, kernel, groups=largest, **words)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', ⌈h/stride⌉, ⌈w/stride⌉)
        seen, total = x[..., :: self.stride[0], :: self.stride[1]], sum(self.copied)
        copies = torch.cat([seen] * math.ceil(total / x.shape[1]), 1) if total > x.shape[1] else seen
        made, units = x, []
        parts = (*copies[:, :total].split(self.copied, 1), None) if total else (None,)
        for conv, part in zip(self.convs, parts, strict=True):
            made = conv(made)
            beside = self.tail(made) if part is None else part
            units += [made, beside]
            made = torch.cat((made, beside), 1)
        y = torch.cat(units, 1)[:, : self.out_channels]
        return nn.functional.channel_shuffle(y, 2)
