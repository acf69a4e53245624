"""Attentional fusion: two maps mixed by weights of what they hold near and far; and an activation alike."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .gate import AbstractGate, bottleneck, mean_of_map


def _normed(channels: int, reduction: int) -> nn.Sequential:
    """A bottleneck with batch normalisation after both of its convolutions."""
    return nn.Sequential(*bottleneck(channels, reduction, norm=True), nn.BatchNorm2d(channels))


class MultiScaleGate(AbstractGate):
    r"""Weights from a position and from the whole map: $\sigma(L(x) + G(\bar x))$, two bottlenecks of 1×1."""

    def __init__(self, channels: int, reduction: int = 4):
        super().__init__()
        self.near, self.far = _normed(channels, reduction), _normed(channels, reduction)

    def gate(self, x: Tensor) -> Tensor:
        """(b, c, h, w)."""
        scores: Tensor = self.near(x) + self.far(mean_of_map(x))
        return scores.sigmoid()


@method(
    "aff",
    year=2020,
    paper="arXiv:2009.14082",
    topics=("vision",),
    tiny={"channels": 4},
    variants={"iaff": {"rounds": 2}},
)
class AttentionalFusion(nn.Module):
    r"""AFF (attentional feature fusion): two maps mixed, $M ⊙ x + (1 - M) ⊙ y$ with $M = M(x + y)$.

    $M(u) = \sigma(L(u) + G(\bar u))$: L looks at each position, G at the means of the map; both are 1×1
    convolutions to channels / `reduction` and back, each with batch normalisation, ReLU between. rounds: 2
    is the iterative form (iAFF), where the mixture of a first M stands in for x + y. Put it where a network
    adds two maps.
    Shapes: x and y (batch, channels, height, width) -> the same. Raises UsageError for no rounds.
    """

    def __init__(self, channels: int, reduction: int = 4, rounds: int = 1):
        super().__init__()
        if rounds < 1:
            raise UsageError(f"rounds={rounds} must be 1 or more")
        self.weights = nn.ModuleList(MultiScaleGate(channels, reduction) for _ in range(rounds))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        mixed = x + y
        for weights in self.weights:
            assert isinstance(weights, MultiScaleGate)
            mixed = torch.lerp(y, x, weights.gate(mixed).to(x.dtype))
        return mixed


@method("atac", year=2020, paper="arXiv:2007.07729", topics=("vision",), tiny={"channels": 4})
class ATAC(AbstractGate):
    r"""ATAC (attentional activation): a gate of 1×1 convolutions in the place of an activation.

    $x · \sigma(L(x))$: L is a 1×1 convolution to channels / `reduction`, batch normalisation, ReLU, a 1×1
    convolution back and batch normalisation: each position weights its channels by what it holds.
    Shapes: (batch, channels, height, width) -> the same.
    """

    def __init__(self, channels: int, reduction: int = 2):
        super().__init__()
        self.near = _normed(channels, reduction)

    def gate(self, x: Tensor) -> Tensor:
        """(b, c, h, w)."""
        scores: Tensor = self.near(x)
        return scores.sigmoid()
