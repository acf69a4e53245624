"""Squeeze-and-excitation and what differs from it in the squeeze: tiles, a pyramid, positions."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ..choosing import Choice, chosen
from ..pooling.windows import window_means
from .gate import AbstractGate, between, bottleneck, mean_of_map, one_of


@method(
    "se",
    year=2017,
    paper="arXiv:1709.01507",
    aliases=("squeeze_excitation",),
    topics=("vision",),
    tiny={"channels": 4, "reduction": 2},
)
class SE(AbstractGate):
    r"""SE (squeeze-and-excitation): a weight for each channel from the means of all, $x · s$.

    $s = \sigma(W_2 \max(0, W_1 \bar x))$, $\bar x$ the mean of each channel over the map; W₁ leaves
    `reduction` times fewer channels, one at least. As in the paper the maps have no biases; `bias=True` adds
    them, as later code does. In a residual network it stands at the end of each branch, before the sum.
    Shapes: (batch, channels, height, width) -> the same. Parameters: 2 channels² / reduction.
    """

    def __init__(self, channels: int, reduction: int = 16, bias: bool = False):
        super().__init__()
        self.excite = bottleneck(channels, reduction, bias)

    def gate(self, x: Tensor) -> Tensor:
        """(b, c, 1, 1)."""
        scores: Tensor = self.excite(mean_of_map(x))
        return scores.sigmoid()


class SqueezeExcite(AbstractGate):
    r"""Squeeze-and-excitation with biases, $x · g(W_2 \phi(W_1 \bar x))$, and so many channels between."""

    def __init__(self, channels: int, between: int, activation: Choice = "relu", gate: Choice = "sigmoid"):
        super().__init__()
        self.excite = nn.Sequential(
            nn.Conv2d(channels, between, 1),
            chosen(activation, between),
            nn.Conv2d(between, channels, 1),
            chosen(gate, channels),
        )

    def gate(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c, 1, 1)
        weights: Tensor = self.excite(mean_of_map(x))
        return weights


@method(
    "tse",
    year=2021,
    paper="arXiv:2107.02145",
    topics=("vision",),
    tiny={"channels": 4, "reduction": 2, "tile": 4},
)
class TiledSE(AbstractGate):
    r"""Tiled SE: squeeze-and-excitation by tiles of the map, each weighted by its own means.

    All tiles share the two maps. A tile that the border cuts is of what is left; one as large as the map is
    squeeze-and-excitation. tile: its side, or (height, width). So no layer must wait for the whole map.
    Shapes: (batch, channels, height, width) -> the same.
    """

    def __init__(
        self, channels: int, reduction: int = 16, tile: int | tuple[int, int] = 7, bias: bool = False
    ):
        super().__init__()
        self.tile = (tile, tile) if isinstance(tile, int) else (tile[0], tile[1])
        if min(self.tile) < 1:
            raise UsageError(f"tile={tile} must be 1 or more")
        self.excite = bottleneck(channels, reduction, bias)

    def gate(self, x: Tensor) -> Tensor:
        """(b, c, h, w), constant within each tile."""
        height, width = x.shape[2:]
        down, across = min(self.tile[0], height), min(self.tile[1], width)
        scores: Tensor = self.excite(window_means(x, (down, across)))
        tiles = scores.sigmoid().repeat_interleave(down, 2).repeat_interleave(across, 3)
        return tiles[:, :, :height, :width]


@method(
    "spanet_att",
    year=2020,
    paper="Guo et al., ICME",
    aliases=("spatial_pyramid_attention",),
    topics=("vision",),
    tiny={"channels": 4, "reduction": 2},
)
class SpatialPyramidAttention(AbstractGate):
    r"""Spatial pyramid attention: squeeze-and-excitation from means of the map, its quarters and sixteenths.

    $s = \sigma(W_2 \max(0, W_1 p))$ with p the 1 + 4 + 16 = 21 means of every channel (`sizes`), so that
    the weights may heed where things stand. W₁ leaves channels / `reduction`, one at least; no biases.
    Shapes: (batch, channels, height, width) -> the same. Parameters: 22 channels² / reduction.
    """

    def __init__(self, channels: int, reduction: int = 16, sizes: tuple[int, ...] = (1, 2, 4)):
        super().__init__()
        hidden, self.sizes = between(channels, reduction), sizes
        self.excite = nn.Sequential(
            nn.Conv2d(channels * sum(size * size for size in sizes), hidden, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(hidden, channels, 1, bias=False),
        )

    def gate(self, x: Tensor) -> Tensor:
        """(b, c, 1, 1)."""
        means = torch.cat([F.adaptive_avg_pool2d(x, size).flatten(1) for size in self.sizes], 1)
        scores: Tensor = self.excite(means[..., None, None])
        return scores.sigmoid()


@method(
    "scse",
    year=2018,
    paper="arXiv:1803.02579",
    topics=("vision", "segmentation"),
    tiny={"channels": 4},
    variants={"scse_max": {"combine": "max"}},
)
class SCSE(nn.Module):
    r"""scSE: the map weighted by channels, and the map weighted by positions, put together.

    $x · \sigma(W_2 \max(0, W_1 \bar x))$ and $x · \sigma(w · x_{ij} + b)$, a 1×1 convolution to one number
    per position. combine: "sum" adds the two; "max" takes the larger of them, number by number.
    Shapes: (batch, channels, height, width) -> the same. Raises UsageError for another `combine`.
    """

    def __init__(self, channels: int, reduction: int = 2, combine: str = "sum"):
        super().__init__()
        self.combine = one_of("combine", combine, ("sum", "max"))
        self.channel, self.position = SE(channels, reduction, bias=True), nn.Conv2d(channels, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        by_channel, by_position = self.channel(x), x * self.position(x).sigmoid()
        if self.combine == "max":
            return torch.maximum(by_channel, by_position)
        return by_channel + by_position
