"""ULSAM: each subspace of the channels has one attention of its own over the map."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from .gate import AbstractGate, divided


@method("ulsam", year=2020, paper="arXiv:2006.15102", topics=("vision",), tiny={"channels": 4, "groups": 2})
class ULSAM(AbstractGate):
    r"""ULSAM: in each group of channels $x + x · A$, A a softmax over the positions.

    A comes of one weight and bias per channel, the largest of each 3×3 window, and one weighted sum per
    group. Over the map a group's A sums to 1.
    Shapes: (batch, channels, height, width) -> the same. Raises UsageError where groups do not divide the
    channels.
    """

    def __init__(self, channels: int, groups: int = 4):
        super().__init__()
        divided(channels, groups)
        self.depthwise = nn.Conv2d(channels, channels, 1, groups=channels)
        self.pointwise = nn.Conv2d(channels, groups, 1, groups=groups)

    def shares(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, g, h, w)
        """A of each group."""
        scores: Tensor = self.pointwise(F.max_pool2d(self.depthwise(x), 3, 1, 1))
        return scores.flatten(2).softmax(2).view_as(scores)

    def gate(self, x: Tensor) -> Tensor:
        """(b, c, h, w): 1 + A, equal within each group."""
        shares = self.shares(x)
        return torch.repeat_interleave(1 + shares, x.shape[1] // shares.shape[1], 1)
