"""Pooling by weights of one's own: numbers that matter more count more."""

import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ..normalization.batch import wide
from .windows import Size, windows


@method("soft_pool", year=2021, paper="arXiv:2101.00440", tiny={"kernel_size": 2})
class SoftPool2d(nn.Module):
    r"""SoftPool: the mean of each window by softmax weights, $\sum_i \mathrm{softmax}(a)_i a_i$.

    It lies between the mean and the largest number. stride: that of the window by default.
    Shapes: (batch, channels, height, width) -> (batch, channels, height', width').
    """

    def __init__(self, kernel_size: Size, stride: Size | None = None):
        super().__init__()
        self.kernel_size, self.stride = kernel_size, stride

    def forward(self, x: Tensor) -> Tensor:
        a = windows(wide(x), self.kernel_size, self.stride)  # (b, c, h', w', k)
        return (a.softmax(-1) * a).sum(-1).to(x.dtype)


@method("lip", year=2019, paper="arXiv:1908.04156", tiny={"channels": 4})
class LocalImportancePool2d(nn.Module):
    r"""Local importance pooling: means by learned weights, $\sum e^{G(x)} x / \sum e^{G(x)}$ of each window.

    G is a 3 × 3 convolution, an instance norm and 12 times a sigmoid: weights differ by $e^{12}$ at most.
    The convolution starts at zero: average pooling. The border does not count.
    Shapes: (batch, channels, height, width) -> (batch, channels, height', width').
    """

    def __init__(
        self,
        channels: int,
        kernel_size: Size = 3,
        stride: Size = 2,
        padding: Size = 1,
        coefficient: float = 12.0,
    ):
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.coefficient = coefficient
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        nn.init.zeros_(self.conv.weight)
        self.norm = nn.GroupNorm(channels, channels)  # an instance norm that takes empty batches

    def forward(self, x: Tensor) -> Tensor:
        logits = self.coefficient * wide(self.norm(self.conv(x))).sigmoid()
        weights = logits.exp()  # at most e^12: its sums are far from what single precision holds
        words = (self.kernel_size, self.stride, self.padding)
        return (F.avg_pool2d(wide(x) * weights, *words) / F.avg_pool2d(weights, *words)).to(x.dtype)
