"""Cosine normalisation: an affine map without lengths."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from .batch import wide


@method(
    "cosine_norm",
    kind="layer",
    year=2017,
    paper="arXiv:1702.05870",
    tiny={"in_features": 4, "out_features": 3},
)
class CosineLinear(nn.Module):
    r"""Cosine normalisation: a linear layer of cosines, $w \cdot x / (\|w\| \|x\|)$, each within -1 to 1.

    Neither the input's length nor that of a unit's weights matters. An input of zeros gives zeros.
    Shapes: (..., in_features) -> (..., out_features). Weights start as those of `torch.nn.Linear`.
    """

    def __init__(self, in_features: int, out_features: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        nn.init.uniform_(self.weight, -(in_features**-0.5), in_features**-0.5)

    def forward(self, x: Tensor) -> Tensor:  # (..., i) -> (..., o)
        return F.linear(F.normalize(wide(x), dim=-1), F.normalize(wide(self.weight), dim=-1)).to(x.dtype)
