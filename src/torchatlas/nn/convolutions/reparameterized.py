"""The base of convolutions whose kernel is computed from their weights: one call with a changed kernel."""

import torch
from torch import Tensor, nn


class AbstractReparameterizedConv2d(nn.Conv2d):
    """A convolution with a kernel that is computed from its weights.

    A member says `kernel()`, (out, in / groups, height, width); all else is PyTorch's convolution.
    """

    def kernel(self) -> Tensor:
        """The kernel that the map is convolved with."""
        raise NotImplementedError

    def forward(self, input: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', h', w')
        return self._conv_forward(input, self.kernel(), self.bias)

    def merged(self) -> nn.Conv2d:
        """A plain convolution with the kernel as it is now: the same outputs, and nothing left to compute."""
        kernel = self.kernel().detach()
        conv = nn.Conv2d(
            self.in_channels,
            self.out_channels,
            (kernel.shape[2], kernel.shape[3]),
            self.stride,  # type: ignore[arg-type]
            self.padding,  # type: ignore[arg-type]
            self.dilation,  # type: ignore[arg-type]
            self.groups,
            bias=self.bias is not None,
            device=kernel.device,
            dtype=kernel.dtype,
        )
        with torch.no_grad():
            conv.weight.copy_(kernel)
            if conv.bias is not None and self.bias is not None:
                conv.bias.copy_(self.bias)
        return conv


def placed(taps: dict[int, Tensor], size: tuple[int, int]) -> Tensor:  # of (o, c) -> (o, c, height, width)
    """A kernel from its taps by their places, counted row by row; zero where there is none."""
    nothing = torch.zeros_like(next(iter(taps.values())))
    row = [taps.get(place, nothing) for place in range(size[0] * size[1])]
    return torch.stack(row, -1).unflatten(-1, size)
