"""Spatial pyramid pooling: as many numbers from a map of any size."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError


@method("spp", kind="layer", year=2014, paper="arXiv:1406.4729")
class SpatialPyramidPool2d(nn.Module):
    r"""Spatial pyramid pooling: max pooling to several grids, whose numbers stand one after the other.

    A grid of k × k cells covers the whole map, whatever its size. levels: the k of each grid; (4, 2, 1)
    gives 21 numbers per channel, (6, 3, 2, 1) gives 50.
    Shapes: (batch, channels, any height, any width) -> (batch, channels $\sum k^2$).
    Raises UsageError for levels below 1.
    """

    def __init__(self, levels: Sequence[int] = (4, 2, 1)):
        super().__init__()
        if not levels or min(levels) < 1:
            raise UsageError(f"levels={levels} must be numbers of cells a side, each 1 or more")
        self.levels = tuple(levels)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, n)
        return torch.cat([F.adaptive_max_pool2d(x, k).flatten(1) for k in self.levels], 1)
