"""The attention-augmented convolution: some output channels come from attention over the whole map."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ..convolutions.windows import odd
from ..positions.scored import shifted


@method(
    "aaconv",
    year=2019,
    paper="arXiv:1904.09925",
    aliases=("attention_augmented_conv",),
    topics=("vision",),
    tiny={"in_channels": 4, "out_channels": 6, "size": (6, 4), "heads": 2, "keys": 4, "values": 2},
)
class AttentionAugmentedConv2d(nn.Module):
    r"""Attention-augmented convolution: convolved channels, and beside them those of attention over the map.

    Of the out_channels a convolution gives all but `values`; these come from attention of several heads,
    where a position's query meets each key and two vectors for how far that is across and down: $q_i · (k_j
    + r^W_{j_x - i_x} + r^H_{j_y - i_y}) / \sqrt{d_k}$. `keys` and `values` are the widths of all heads
    together; the vectors are learned and shared by all heads. size: the largest map (height, width).
    Shapes: (batch, in_channels, h, w) -> (batch, out_channels, h, w). Raises UsageError for an even kernel
    size, heads that do not divide keys and values, values that leave no convolved channel, and maps above
    the size.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        size: tuple[int, int],
        kernel_size: int = 3,
        heads: int = 8,
        keys: int = 40,
        values: int = 8,
    ):
        super().__init__()
        odd(kernel_size, "aaconv")
        if heads < 1 or keys % heads or values % heads or not 0 < values < out_channels:
            raise UsageError(
                f"heads={heads} must divide keys={keys} and values={values}, and values be fewer than "
                f"out_channels={out_channels}"
            )
        self.size, self.heads, self.widths = size, heads, (keys, keys, values)
        self.conv = nn.Conv2d(in_channels, out_channels - values, kernel_size, padding=kernel_size // 2)
        self.inward, self.outward = nn.Conv2d(in_channels, 2 * keys + values, 1), nn.Conv2d(values, values, 1)
        each = keys // heads
        self.down, self.across = (nn.Parameter(each**-0.5 * torch.randn(2 * n - 1, each)) for n in size)

    def by_distance(self, q: Tensor, table: Tensor) -> Tensor:  # (…, n, d), (2 N - 1, d) -> (…, n, n)
        """The products of queries along one axis with the vectors of all distances on it."""
        n, middle = q.shape[-2], len(table) // 2
        known = table[middle - n + 1 : middle + n]  # of the distances 1 - n to n - 1
        return shifted(F.pad(q @ known.mT, (0, 1)), n)

    def attended(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, values, h, w)
        """Attention over the map, all heads."""
        q, k, v = (z.unflatten(1, (self.heads, -1)) for z in self.inward(x).split(self.widths, 1))
        q = (q * q.shape[2] ** -0.5).movedim(2, -1)  # (b, t, h, w, d)
        across = self.by_distance(q, self.across)  # (b, t, h, w, w'): from i_y, i_x to j_x
        down = self.by_distance(q.transpose(2, 3), self.down).transpose(2, 3)  # (b, t, h, w, h')
        scores = (q.flatten(2, 3) @ k.flatten(3)).unflatten(3, x.shape[2:]).unflatten(2, x.shape[2:])
        scores = scores + across[..., None, :] + down[..., :, None]  # (b, t, h, w, h', w')
        shares = scores.flatten(4).flatten(2, 3).softmax(3)  # (b, t, n, n)
        mixed = v.flatten(3) @ shares.mT  # (b, t, d, n)
        seen: Tensor = self.outward(mixed.flatten(1, 2).unflatten(2, x.shape[2:]))
        return seen

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2] > self.size[0] or x.shape[3] > self.size[1]:
            raise UsageError(f"a map of {tuple(x.shape[2:])} is larger than size={self.size}")
        return torch.cat((self.conv(x), self.attended(x)), 1)
