"""Global second-order pooling: channels are weighted by how they vary with the others."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from ..normalization.batch import wide
from .gate import AbstractGate


@method("gsop", year=2018, paper="arXiv:1811.12006", topics=("vision",), tiny={"channels": 4, "hidden": 3})
class GSoP(AbstractGate):
    r"""GSoP (global second-order pooling): a weight for each channel from the covariance of a few.

    A 1×1 convolution with batch normalisation and ReLU leaves `hidden` channels. The rows of their covariance
    over the map, normalised over the batch, give four numbers each (a convolution of its own for each row);
    a 1×1 convolution to all channels and σ make weights of them. This is the attention to channels.
    Shapes: (batch, channels, height, width) -> the same.
    """

    def __init__(self, channels: int, hidden: int = 128):
        super().__init__()
        self.reduce = nn.Sequential(nn.Conv2d(channels, hidden, 1), nn.BatchNorm2d(hidden), nn.ReLU())
        self.norm = nn.BatchNorm2d(hidden)
        self.rows = nn.Conv2d(hidden, 4 * hidden, (hidden, 1), groups=hidden)
        self.widen = nn.Conv2d(4 * hidden, channels, 1)

    def gate(self, x: Tensor) -> Tensor:
        """(b, c, 1, 1)."""
        few = wide(self.reduce(x)).flatten(2)  # (b, k, n)
        centred = few - few.mean(2, keepdim=True)
        with torch.autocast(x.device.type, enabled=False):  # sums over the map overflow half precision
            covariance = (centred @ centred.mT / few.shape[2]).to(x.dtype)[..., None]  # (b, k, k, 1)
        scores: Tensor = self.widen(self.rows(self.norm(covariance)))
        return scores.sigmoid()
