"""Layer normalisation that fades with depth."""

from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError


@method("layernorm_scaling", year=2025, paper="arXiv:2502.05795", tiny={"normalized_shape": 4, "layer": 2})
class ScaledLayerNorm(nn.LayerNorm):
    r"""Layer-norm scaling: layer normalisation times $1 / \sqrt l$ in layer l of a pre-norm transformer.

    Else the variance of such a network grows with depth, until deep layers pass on what they are given.
    layer: counted from 1. normalized_shape: the last dimensions, as in layer normalisation. Any shape -> the
    same. Raises UsageError for a layer below 1.
    """

    def __init__(self, normalized_shape: int | list[int], layer: int, eps: float = 1e-5):
        if layer < 1:
            raise UsageError(f"layer={layer} must be 1 or more: layers are counted from 1")
        super().__init__(normalized_shape, eps)
        self.scale = layer**-0.5

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) * self.scale
