"""CBAM: channels are weighted, then positions."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from ..convolutions.windows import odd
from .gate import AbstractGate, bottleneck, mean_of_map


def pooled_channels(x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, 2, h, w)
    """The mean and the largest of all channels at each position."""
    return torch.cat((x.mean(1, keepdim=True), x.amax(1, keepdim=True)), 1)


class ChannelGate(AbstractGate):
    r"""Weights of channels: $\sigma(M(\mathrm{mean}) + M(\max))$, with one bottleneck M for both."""

    def __init__(self, channels: int, reduction: int = 16):
        super().__init__()
        self.excite = bottleneck(channels, reduction)

    def gate(self, x: Tensor) -> Tensor:
        """(b, c, 1, 1)."""
        scores: Tensor = self.excite(mean_of_map(x)) + self.excite(x.amax((2, 3), keepdim=True))
        return scores.sigmoid()


class SpatialGate(AbstractGate):
    r"""Weights of positions: $\sigma(\mathrm{BN}(\mathrm{conv}([\mathrm{mean}; \max])))$ of all channels."""

    def __init__(self, kernel_size: int = 7):
        super().__init__()
        odd(kernel_size, "a gate of positions")
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
        self.norm = nn.BatchNorm2d(1)

    def gate(self, x: Tensor) -> Tensor:
        """(b, 1, h, w)."""
        scores: Tensor = self.norm(self.conv(pooled_channels(x)))
        return scores.sigmoid()


@method("cbam", year=2018, paper="arXiv:1807.06521", topics=("vision",), tiny={"channels": 4, "reduction": 2})
class CBAM(nn.Sequential):
    r"""CBAM: a map weighted by channels and then, so weighted, by positions.

    Channels: $\sigma(M(\mathrm{mean}) + M(\max))$ over the map, M one affine map to channels / `reduction`,
    ReLU and one back. Positions: $\sigma(\mathrm{BN}(f([\mathrm{mean}; \max])))$ over the channels, f a
    convolution of 7×7. The batch norm and M's biases are those of the released code.
    Shapes: (batch, channels, height, width) -> the same. Raises UsageError for an even kernel size.
    """

    def __init__(self, channels: int, reduction: int = 16, kernel_size: int = 7):
        super().__init__(ChannelGate(channels, reduction), SpatialGate(kernel_size))
