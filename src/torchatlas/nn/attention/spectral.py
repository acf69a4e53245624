"""Multi-spectral channel attention: the squeeze is a cosine of its own for each group of channels."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ...cards.card import method
from ...engine.errors import UsageError
from .gate import AbstractGate, bottleneck, divided

# The frequencies (down, across) of a 7×7 grid, from the one that alone served best downwards.
BEST = (
    *((0, 0), (0, 1), (6, 0), (0, 5), (0, 2), (1, 0), (1, 2), (4, 0)),
    *((5, 0), (1, 6), (3, 0), (0, 4), (0, 6), (0, 3), (3, 5), (2, 2)),
)
GRID = 7


def cosine(frequency: int, size: int) -> Tensor:
    r"""One row of the orthonormal cosine transform: $\cos(\pi f (i + 1/2) / n)$, scaled to length 1."""
    steps = torch.arange(size, dtype=torch.double) + 0.5
    scale = math.sqrt((2 if frequency else 1) / size)
    return scale * (math.pi * frequency / size * steps).cos()


@method(
    "fcanet",
    year=2020,
    paper="arXiv:2012.11879",
    aliases=("fca", "multi_spectral_attention"),
    topics=("vision",),
    tiny={"channels": 4, "frequencies": 4, "reduction": 2},
)
class FcaNet(AbstractGate):
    r"""FcaNet: squeeze-and-excitation where each group of channels is squeezed by a cosine of its own.

    $z_c = \sum_{ij} x_{c,ij} B_i^u B_j^v$, B the orthonormal cosine transform of a map of size × size (to
    which means bring any other); (u, v) are the paper's best `frequencies` on a grid of 7 × 7, the first for
    the first group of channels, and so on. The excitation is that of squeeze-and-excitation. The lowest
    frequency alone is the mean times size.
    Shapes: (batch, channels, height, width) -> the same. Raises UsageError for more frequencies than 16,
    frequencies that do not divide the channels, or a size that is no multiple of 7.
    """

    waves: Tensor

    def __init__(self, channels: int, frequencies: int = 16, size: int = 7, reduction: int = 16):
        super().__init__()
        if not 1 <= frequencies <= len(BEST):
            raise UsageError(f"frequencies={frequencies} must be from 1 to {len(BEST)}")
        if size < GRID or size % GRID:
            raise UsageError(f"size={size} must be a multiple of {GRID}: frequencies are of a 7 × 7 grid")
        each, finer = divided(channels, frequencies, "frequencies"), size // GRID
        waves = [torch.outer(cosine(u * finer, size), cosine(v * finer, size)) for u, v in BEST[:frequencies]]
        table = torch.stack(waves).repeat_interleave(each, 0).to(torch.get_default_dtype())
        self.size = size
        self.register_buffer("waves", table, persistent=False)
        self.excite = bottleneck(channels, reduction, bias=False)

    def gate(self, x: Tensor) -> Tensor:
        """(b, c, 1, 1)."""
        seen = x if x.shape[2:] == (self.size, self.size) else F.adaptive_avg_pool2d(x, self.size)
        scores: Tensor = self.excite((seen * self.waves).sum((2, 3), keepdim=True))
        return scores.sigmoid()
