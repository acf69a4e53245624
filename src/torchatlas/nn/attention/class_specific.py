"""Class-specific residual attention: where a class is seen best counts once more."""

import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError


@method(
    "csra",
    year=2021,
    paper="arXiv:2108.02456",
    topics=("vision", "multilabel"),
    tiny={"channels": 4, "num_classes": 3},
)
class ClassSpecificResidualAttention(nn.Module):
    r"""CSRA (class-specific residual attention): a head whose classes look where they are seen best.

    $y_c = \frac{1}{n} \sum_k s_{ck} + λ \sum_k \mathrm{softmax}_k(T s_c) s_{ck}$ over the n positions, s the
    scores of a 1×1 convolution without bias whose rows have length 1. With T = infinity (`float("inf")`) the
    second sum is the largest score.
    Shapes: (batch, channels, height, width) -> logits (batch, num_classes). Raises UsageError for a
    temperature that is not above 0.
    """

    def __init__(self, channels: int, num_classes: int, lambda_: float = 0.1, temperature: float = 1.0):
        super().__init__()
        if not temperature > 0:
            raise UsageError(f"temperature={temperature} must be above 0")
        self.lambda_, self.temperature = lambda_, temperature
        self.classes = nn.Conv2d(channels, num_classes, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:  # (b, c, h, w) -> (b, k)
        scores = F.conv2d(x, F.normalize(self.classes.weight, dim=1)).flatten(2)  # (b, k, n)
        if self.temperature == float("inf"):
            best = scores.amax(2)
        else:
            best = ((self.temperature * scores).softmax(2) * scores).sum(2)
        return scores.mean(2) + self.lambda_ * best
