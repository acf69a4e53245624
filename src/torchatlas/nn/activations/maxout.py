"""Maxout: the largest of a few affine maps; what activates is learned with the weights."""

from torch import Tensor, nn

from ...cards.card import method
from .pointwise import positive


@method(
    "maxout",
    kind="layer",
    year=2013,
    paper="arXiv:1302.4389",
    tiny={"in_features": 4, "out_features": 3, "pieces": 3},
)
class Maxout(nn.Module):
    r"""Maxout: each output is the largest of k affine maps, $h_i = \max_{j \leq k} (x^T W_{ij} + b_{ij})$.

    It takes the place of a linear layer and the activation after it; k is `pieces`. Each output is convex in
    x. Shapes: (..., in_features) -> (..., out_features). Weights are those of one linear layer, in which the
    k maps of an output stand one after the other.
    """

    def __init__(self, in_features: int, out_features: int, pieces: int = 2, bias: bool = True):
        super().__init__()
        positive(in_features=in_features, out_features=out_features, pieces=pieces)
        self.pieces = pieces
        self.maps = nn.Linear(in_features, out_features * pieces, bias)

    def forward(self, x: Tensor) -> Tensor:  # (..., n) -> (..., m)
        return self.maps(x).unflatten(-1, (-1, self.pieces)).max(-1).values


@method(
    "maxout_conv",
    kind="layer",
    year=2013,
    paper="arXiv:1302.4389",
    tiny={"in_channels": 4, "out_channels": 3, "kernel_size": 2, "pieces": 3},
)
class MaxoutConv2d(nn.Module):
    r"""Maxout over convolutions: each output map is the largest of k maps.

    $h_i = \max_{j \leq k} (W_{ij} * x + b_{ij})$; k is `pieces`; the other words are those of `nn.Conv2d`.
    Shapes: (batch, in_channels, height, width) -> (batch, out_channels, height', width').
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        pieces: int = 2,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
    ):
        super().__init__()
        positive(in_channels=in_channels, out_channels=out_channels, pieces=pieces)
        self.pieces = pieces
        self.maps = nn.Conv2d(in_channels, out_channels * pieces, kernel_size, stride, padding, bias=bias)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, c', h', w')
        return self.maps(x).unflatten(1, (-1, self.pieces)).max(2).values
