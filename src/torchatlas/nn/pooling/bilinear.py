"""Bilinear pooling: how features go together over all positions."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ..normalization.batch import wide

SMALL = 1e-12  # below this a signed root is a straight line: its slope stays finite at zero


class AbstractBilinearPool2d(nn.Module):
    """Products of features, summed over positions; then signed roots, brought to length 1.

    Takes one map, which is paired with itself, or two of one size. A map of zeros gives zeros.
    """

    def pooled(self, a: Tensor, b: Tensor) -> Tensor:  # (n, c, l), (n, c', l) -> (n, d)
        """The sum over positions of the products of two maps' features."""
        raise NotImplementedError

    def forward(self, a: Tensor, b: Tensor | None = None) -> Tensor:
        one = wide(a).flatten(2)
        z = self.pooled(one, one if b is None else wide(b).flatten(2))
        return F.normalize(z * (z.abs() + SMALL).rsqrt(), dim=1).to(a.dtype)


@method("bilinear_pool", kind="layer", year=2015, paper="arXiv:1504.07889", topics=("vision",))
class BilinearPool2d(AbstractBilinearPool2d):
    r"""Bilinear pooling: products of all pairs of features, summed over positions, $\sum_l a_l b_l^T$.

    Of the sums z the signed roots $\mathrm{sign}(z) \sqrt{|z|}$ are taken and brought to length 1.
    Shapes: (batch, c, height, width), and (batch, c', height, width) or nothing for the same again ->
    (batch, c c'), the products of the first map's first channel first. Where things stand does not matter.
    """

    def pooled(self, a: Tensor, b: Tensor) -> Tensor:
        """All products."""
        return (a @ b.mT).flatten(1)


@method(
    "compact_bilinear_pool",
    kind="layer",
    year=2015,
    paper="arXiv:1511.06062",
    topics=("vision",),
    tiny={"channels": 4, "out_features": 16},
)
class CompactBilinearPool2d(AbstractBilinearPool2d):
    r"""Compact bilinear pooling: bilinear pooling sketched in far fewer numbers (tensor sketch).

    The features of each map are hashed to `out_features` places with random signs (count sketch); the
    sketch of all products is the circular convolution of the two. It is linear in the products, which are
    therefore summed over positions first: a product of i and j goes to place h(i) + h'(j), with both signs.
    Inner products of sketches are those of bilinear pooling on average. Places and signs are drawn once.
    Shapes: (batch, channels, height, width), and (batch, other_channels, height, width) or nothing for the
    same again -> (batch, out_features), with signed roots and length 1 as in bilinear pooling.
    """

    first_places: Tensor
    first_signs: Tensor
    second_places: Tensor
    second_signs: Tensor

    def __init__(self, channels: int, out_features: int = 8192, other_channels: int | None = None):
        super().__init__()
        self.out_features = out_features
        for name, width in (("first", channels), ("second", other_channels or channels)):
            self.register_buffer(f"{name}_places", torch.randint(out_features, (width,)))
            self.register_buffer(f"{name}_signs", torch.randint(2, (width,)) * 2.0 - 1.0)  # -1 or 1

    def pooled(self, a: Tensor, b: Tensor) -> Tensor:
        """The sketches of all products, summed over positions."""
        signed = (a * self.first_signs[:, None]) @ (b * self.second_signs[:, None]).mT  # (n, c, c')
        places = (self.first_places[:, None] + self.second_places) % self.out_features
        sketch = signed.new_zeros(len(a), self.out_features)
        return sketch.index_add(1, places.flatten(), signed.flatten(1))
