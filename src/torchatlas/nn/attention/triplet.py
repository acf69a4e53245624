"""Triplet attention: each pair of a map's axes is weighted across the third."""

from torch import Tensor, nn

from ...cards.card import method
from .cbam import SpatialGate


@method("triplet_attention", year=2020, paper="arXiv:2010.03045", topics=("vision",))
class TripletAttention(nn.Module):
    r"""Triplet attention: the mean of three maps, each weighted across one axis: rows, columns, channels.

    Across an axis the weights are $\sigma(\mathrm{BN}(f([\mathrm{mean}; \max])))$ over that axis, f a
    convolution of 7×7 over the two others; so channels meet rows, channels meet columns, and rows columns.
    Shapes: (batch, channels, height, width) -> the same. Parameters: 3 (2 kernel_size² + 2). Raises
    UsageError for an even kernel size.
    """

    def __init__(self, kernel_size: int = 7):
        super().__init__()
        self.rows, self.columns, self.channels = (SpatialGate(kernel_size) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        rows = self.rows(x.transpose(1, 2)).transpose(1, 2)
        columns = self.columns(x.transpose(1, 3)).transpose(1, 3)
        return (rows + columns + self.channels(x)) / 3
