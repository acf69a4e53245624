"""The wavelet convolution: small kernels on the bands of a wavelet transform see far."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .windows import around, odd


@method(
    "wtconv",
    year=2024,
    paper="arXiv:2407.05848",
    aliases=("wavelet_conv",),
    tiny={"channels": 4, "kernel_size": 3, "levels": 1},
)
class WaveletConv2d(nn.Module):
    r"""Wavelet convolution (WTConv): a depthwise convolution, and others on each level of a Haar transform.

    Each level halves the map into four bands, convolves each band of each channel by itself and scales it;
    the next level goes on with the smooth band as it was. The way back adds each level's map to the smooth
    band of the level above, and the last to the plain convolution: $y = s_0 \odot (w_0 * x) + z_1$,
    $z_i = \mathrm{IWT}(s_i \odot (w_i * \mathrm{WT}(x_{i-1})) + z_{i+1})$. With `levels` levels an f×f kernel
    sees $2^{levels} f$ pixels; its weights grow with the levels alone. Scales start at 1 for the plain
    convolution, at 0.1 for the bands. Odd maps are padded by a row or column of zeros for each level and cut
    again.
    Shapes: (batch, channels, h, w) -> (batch, channels, ⌈h / stride⌉, ⌈w / stride⌉).
    Errors: `UsageError` for an even kernel size or less than one level.
    """

    def __init__(
        self, channels: int, kernel_size: int = 5, stride: int = 1, levels: int = 1, bias: bool = True
    ):
        super().__init__()
        if levels < 1:
            raise UsageError(f"wtconv needs a level at least, not levels={levels}")
        edge, bands, self.stride = around(odd(kernel_size, "wtconv")), 4 * channels, stride
        self.base = nn.Conv2d(channels, channels, kernel_size, 1, edge, groups=channels, bias=bias)
        self.base_scale = nn.Parameter(torch.ones(channels, 1, 1))
        self.convs = nn.ModuleList(
            nn.Conv2d(bands, bands, kernel_size, 1, edge, groups=bands, bias=False) for _ in range(levels)
        )
        self.scales = nn.ParameterList(torch.full((bands, 1, 1), 0.1) for _ in range(levels))

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c, h', w')
        y = self.base_scale * self.base(x) + self._level(x, 0)
        return y[:, :, :: self.stride, :: self.stride]

    def _level(self, x: Tensor, level: int) -> Tensor:
        """What this level and those below make of a map: (b, c, h, w) -> (b, c, h, w)."""
        height, width = x.shape[-2:]
        bands = haar(F.pad(x, (0, width % 2, 0, height % 2)))  # (b, c, 4, h/2, w/2)
        made = self.scales[level] * self.convs[level](bands.flatten(1, 2))
        smooth, *rest = made.unflatten(1, (-1, 4)).unbind(2)
        if level + 1 < len(self.convs):
            smooth = smooth + self._level(bands[:, :, 0], level + 1)
        return unhaar(torch.stack([smooth, *rest], 2))[:, :, :height, :width]


def haar(x: Tensor) -> Tensor:
    """The four bands of a Haar transform: smooth, across, down and diagonal.

    It is orthonormal, and its matrix its own inverse: see `unhaar`.
    Shapes: (b, c, h, w) -> (b, c, 4, h / 2, w / 2).
    """
    quads = x.unflatten(3, (-1, 2)).unflatten(2, (-1, 2))  # (b, c, h/2, 2, w/2, 2)
    return _mixed(quads.permute(0, 1, 3, 5, 2, 4).flatten(2, 3))


def unhaar(bands: Tensor) -> Tensor:
    """The map whose bands these are, (b, c, 4, h, w) -> (b, c, 2h, 2w)."""
    quads = _mixed(bands).unflatten(2, (2, 2)).permute(0, 1, 4, 2, 5, 3)  # (b, c, h, 2, w, 2)
    return quads.flatten(4).flatten(2, 3)


def _mixed(quads: Tensor) -> Tensor:
    """Sums and differences of four numbers along dimension 2, halved."""
    a, b, c, d = quads.unbind(2)
    return torch.stack([a + b + c + d, a - b + c - d, a + b - c - d, a - b - c + d], 2) / 2
