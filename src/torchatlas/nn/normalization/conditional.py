"""Normalisation whose scale and shift come from a second input: a style, or a map of labels."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from .batch import wide
from .deviation import positions


@method("adain", kind="layer", year=2017, paper="arXiv:1703.06868")
class AdaIN(nn.Module):
    r"""Adaptive instance normalisation: the content takes on the style's mean and deviation.

    $\sigma(s) (c - \mu(c)) / \sigma(c) + \mu(s)$ for each channel of each sample over its positions, with
    $\sigma = \sqrt{\mathrm{variance} + \epsilon}$; where style and content are one, nothing changes.
    Shapes: content (n, c, positions ...), style (n, c, positions ...) of any other size -> as the content.
    Raises UsageError for maps without positions.
    """

    def __init__(self, eps: float = 1e-5):
        super().__init__()
        self.eps = eps

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        (centre, spread), (new_centre, new_spread) = self._moments(content), self._moments(style)
        y = (wide(content) - centre) * (new_spread / spread) + new_centre
        return y.to(content.dtype)

    def _moments(self, x: Tensor) -> tuple[Tensor, Tensor]:  # (n, c, ...) -> two of (n, c, 1)
        variance, mean = torch.var_mean(wide(x), positions(x), correction=0, keepdim=True)
        return mean, (variance + self.eps).sqrt()


@method(
    "spade",
    kind="layer",
    year=2019,
    paper="arXiv:1903.07291",
    tiny={"num_features": 4, "mask_channels": 3},
)
class SPADE(nn.Module):
    r"""SPADE: batch normalisation whose scale and shift are drawn at each position from a map of labels.

    $\mathrm{BN}(x) (1 + \gamma(m)) + \beta(m)$; γ and β are convolutions of ReLU of a convolution of the
    mask m, which is brought to the size of x by its nearest labels. The batch norm has no parameters.
    Shapes: x (n, c, h, w), mask (n, mask_channels, any size) -> as x.
    """

    def __init__(self, num_features: int, mask_channels: int, hidden: int = 128, kernel_size: int = 3):
        super().__init__()
        self.norm = nn.BatchNorm2d(num_features, affine=False)
        self.shared = nn.Conv2d(mask_channels, hidden, kernel_size, padding="same")
        self.gamma = nn.Conv2d(hidden, num_features, kernel_size, padding="same")
        self.beta = nn.Conv2d(hidden, num_features, kernel_size, padding="same")

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        seen = F.relu(self.shared(F.interpolate(mask, x.shape[2:], mode="nearest")))  # (n, hidden, h, w)
        y: Tensor = self.norm(x) * (1 + self.gamma(seen)) + self.beta(seen)
        return y
