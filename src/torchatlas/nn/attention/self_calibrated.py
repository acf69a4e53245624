"""The self-calibrated convolution: half the channels are weighted by a coarser view of themselves."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .gate import divided


def _normed(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels))


@method(
    "scnet",
    year=2020,
    paper="Liu et al., CVPR",
    aliases=("self_calibrated_conv",),
    topics=("vision",),
    tiny={"channels": 4, "pool": 2},
)
class SelfCalibratedConv2d(nn.Module):
    r"""SCNet (self-calibrated convolution): a convolution weighted by a coarser view, and a plain one.

    First half of the channels: $K_4(K_3(x) · \sigma(x + \mathrm{up}(K_2(\mathrm{down}(x)))))$, down the
    means of pool × pool windows and up the nearest of them; second half: $K_1(x)$. Each K is a 3×3
    convolution with batch normalisation; the halves stand one after the other.
    Shapes: (batch, channels, height, width) -> the same. Raises UsageError for odd channels and a pool below
    1.
    """

    def __init__(self, channels: int, pool: int = 4):
        super().__init__()
        half, self.pool = divided(channels, 2, "halves"), pool
        if pool < 1:
            raise UsageError(f"pool={pool} must be 1 or more")
        self.plain, self.coarse, self.fine, self.last = (_normed(half) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        first, second = x.chunk(2, 1)
        window = (min(self.pool, x.shape[2]), min(self.pool, x.shape[3]))
        view = F.interpolate(self.coarse(F.avg_pool2d(first, window)), x.shape[2:], mode="nearest")
        return torch.cat((self.last(self.fine(first) * (first + view).sigmoid()), self.plain(second)), 1)
