"""The fast Fourier convolution: some channels are convolved in the spectrum and see the whole map."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ..pooling.windows import window_means
from .windows import Size, around, odd, wide


class FourierUnit(nn.Module):
    """A 1×1 convolution, batch normalisation and ReLU on the real and imaginary parts of a map's spectrum."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(2 * channels, 2 * channels, 1, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(2 * channels)
        self.activation: nn.Module = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c, h, w)
        if not x.shape[0]:  # some libraries refuse to transform nothing
            return x
        spectrum = torch.fft.rfft2(*wide(x), norm="ortho")  # (b, c, h, w/2 + 1)
        parts = torch.cat([spectrum.real, spectrum.imag], 1).to(x.dtype)
        parts = self.activation(self.norm(self.conv(parts)))
        real, imaginary = wide(*parts.chunk(2, 1))
        return torch.fft.irfft2(torch.complex(real, imaginary), x.shape[-2:], norm="ortho").to(x.dtype)


class SpectralTransform(nn.Module):
    """A Fourier unit and a way around it, between two 1×1 convolutions to half the channels and back."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        between = max(1, out_channels // 2)
        self.reduce = nn.Sequential(
            nn.Conv2d(in_channels, between, 1, bias=False), nn.BatchNorm2d(between), nn.ReLU()
        )
        self.unit = FourierUnit(between)
        self.expand = nn.Conv2d(between, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', h, w)
        x = self.reduce(x)
        y: Tensor = self.expand(x + self.unit(x))
        return y


@method(
    "ffc",
    year=2020,
    paper="Chi et al., NeurIPS",
    aliases=("fast_fourier_conv",),
    tiny={"in_channels": 4, "out_channels": 4, "kernel_size": 3},
)
class FastFourierConv2d(nn.Module):
    r"""Fast Fourier convolution (FFC): local channels by windows, global ones by their spectrum, and across.

    $y_l = f_{ll}(x_l) + f_{gl}(x_g)$ and $y_g = f_{lg}(x_l) + S(x_g)$, f convolutions and S the spectral
    transform: 1×1 convolutions around $z + F^{-1} \mathrm{ReLU}(\mathrm{BN}(V F z))$, F the orthonormal
    Fourier transform of the map and V a 1×1 convolution on its real and imaginary parts. `global_in` and
    `global_out` are the shares of global channels (rounded down), which stand last. The paper's local Fourier
    unit, a second one on quarters of the map, is left out. The border is padded to keep the size; a stride
    takes means before S. No biases: a normalisation should follow.
    Shapes: (batch, in_channels, h, w) -> (batch, out_channels, ⌈h / stride⌉, ⌈w / stride⌉).
    Errors: `UsageError` for a kernel with an even side or shares outside [0, 1].
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size = 3,
        stride: int = 1,
        global_in: float = 0.5,
        global_out: float = 0.5,
    ):
        super().__init__()
        if not (0 <= global_in <= 1 and 0 <= global_out <= 1):
            raise UsageError(f"shares of global channels are from 0 to 1, not {global_in} and {global_out}")
        kernel, self.stride = odd(kernel_size, "ffc"), stride
        spread, out = int(global_in * in_channels), int(global_out * out_channels)
        self.split = (in_channels - spread, spread)

        def path(inputs: int, outputs: int) -> nn.Conv2d | None:
            if not inputs or not outputs:
                return None
            return nn.Conv2d(inputs, outputs, kernel, stride, around(kernel), bias=False)

        self.local_local, self.global_local = (path(n, out_channels - out) for n in self.split)
        self.local_global = path(self.split[0], out)
        self.global_global = SpectralTransform(spread, out) if spread and out else None

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', h', w')
        local, spread = x.split(self.split, 1)
        smaller = window_means(spread, self.stride) if self.stride > 1 else spread
        ways = (
            ((self.local_local, local), (self.global_local, spread)),
            ((self.local_global, local), (self.global_global, smaller)),
        )
        sums = [[f(part) for f, part in way if f is not None] for way in ways]
        return torch.cat([sum(parts[1:], parts[0]) for parts in sums if parts], 1)
