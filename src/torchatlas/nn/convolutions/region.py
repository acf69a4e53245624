"""The dynamic region-aware convolution: kernels made from the map, one for each region of it."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .dynamic import per_sample_conv2d
from .straight import straight_through
from .windows import Size, Window


@method(
    "drconv",
    year=2020,
    paper="arXiv:2003.12243",
    aliases=("dynamic_region_conv",),
    tiny={"in_channels": 4, "out_channels": 4, "kernel_size": 3, "padding": 1, "regions": 1},
)
class DynamicRegionConv2d(nn.Module):
    r"""Dynamic region-aware convolution (DRConv): each pixel takes one of m kernels made from the whole map.

    The kernels come from the map pooled to the kernel's size, through a 1×1 convolution to m² channels, a
    sigmoid and a 1×1 convolution in m groups. A guide, a convolution to m maps, says by its largest score
    which kernel a pixel takes: $y(p) = (W_{r(p)} * x)(p)$, $r(p) = \mathrm{argmax}_t\, g_t(p)$.
    While it trains, the guide learns as if the choice were $\mathrm{softmax}(g)$; in evaluation the gradient
    is that of the choice made. All m convolutions are computed.
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
        regions: int = 8,
    ):
        super().__init__()
        if regions < 1:
            raise UsageError(f"drconv needs one region at least, not {regions}")
        self.window = window = Window.of(kernel_size, stride, padding, dilation)
        self.sizes = (regions, out_channels, in_channels)
        self.squeeze = nn.Conv2d(in_channels, regions * regions, 1)
        self.make = nn.Conv2d(regions * regions, regions * out_channels * in_channels, 1, groups=regions)
        self.guide = nn.Conv2d(
            in_channels, regions, window.kernel, window.stride, window.padding, window.dilation
        )

    def kernels(self, x: Tensor) -> Tensor:
        """Each sample's kernels, (b, regions · out, in, height, width)."""
        made: Tensor = self.make(self.squeeze(pooled(x, self.window.kernel)).sigmoid())
        return made.unflatten(1, self.sizes).flatten(1, 2)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', h', w')
        scores = self.guide(x)  # (b, m, h', w')
        choice = torch.zeros_like(scores).scatter(1, scores.argmax(1, keepdim=True), 1.0)
        if self.training:
            choice = straight_through(choice, scores.softmax(1))
        maps = per_sample_conv2d(x, self.kernels(x), None, self.window).unflatten(1, self.sizes[:2])
        return (maps * choice[:, :, None]).sum(1)


def pooled(x: Tensor, size: tuple[int, int]) -> Tensor:  # (b, c, h, w) -> (b, c, *size)
    """Means of size[0] × size[1] parts of a map; they overlap where it cannot be cut evenly.

    PyTorch's adaptive pooling, whose gradient is not deterministic on CUDA; this one's is.
    """
    rows, columns = (
        [(i * n // k, -(-(i + 1) * n // k)) for i in range(k)] for n, k in zip(x.shape[2:], size)
    )
    bands = torch.stack([x[:, :, a:b].mean(2) for a, b in rows], 2)
    return torch.stack([bands[..., a:b].mean(3) for a, b in columns], 3)
