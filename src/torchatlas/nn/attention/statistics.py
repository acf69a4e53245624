"""Gates from statistics of the map, with few parameters or none."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ..normalization.batch import wide
from .gate import AbstractGate, divided, moments


@method("srm", year=2019, paper="arXiv:1903.10829", topics=("vision",), tiny={"channels": 4})
class SRM(AbstractGate):
    r"""SRM (style-based recalibration): a channel's weight from its own mean and deviation.

    $s_c = \sigma(\mathrm{BN}(a_c \mu_c + b_c \sigma_c))$, $\sigma = \sqrt{\mathrm{variance} + \epsilon}$
    over the map; channels do not mix. a and b start at 0.
    Shapes: (batch, channels, height, width) -> the same. Parameters: 4 channels.
    """

    def __init__(self, channels: int, eps: float = 1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.zeros(channels, 2))
        self.norm = nn.BatchNorm2d(channels)

    def gate(self, x: Tensor) -> Tensor:
        """(b, c, 1, 1)."""
        mean, variance = moments(x, (2, 3))
        style = torch.cat((mean, (variance + self.eps).sqrt()), 3)[:, :, 0].to(x.dtype)  # (b, c, 2)
        scores: Tensor = self.norm((style * self.weight).sum(2)[..., None, None])
        return scores.sigmoid()


@method("nam", year=2021, paper="arXiv:2111.12419", topics=("vision",), tiny={"channels": 4})
class NAM(AbstractGate):
    r"""NAM: batch normalisation whose own scales say how much each channel counts.

    $x · \sigma(w_c \mathrm{BN}(x))$ with $w_c = |\gamma_c| / \sum |\gamma|$, γ the scales of the batch norm.
    In the paper an L1 penalty on γ goes with it. This is the attention to channels.
    Shapes: (batch, channels, height, width) -> the same.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)

    def gate(self, x: Tensor) -> Tensor:
        """(b, c, h, w)."""
        shares = F.normalize(self.norm.weight.abs(), p=1, dim=0)
        scores: Tensor = self.norm(x) * shares[:, None, None]
        return scores.sigmoid()


@method(
    "sge",
    year=2019,
    paper="arXiv:1905.09646",
    aliases=("spatial_group_enhance",),
    topics=("vision",),
    tiny={"channels": 4, "groups": 2},
)
class SpatialGroupEnhance(AbstractGate):
    r"""SGE (spatial group-wise enhance): positions that are like their group's mean count more.

    In each group of channels $c_{ij} = \bar x · x_{ij}$ with the group's mean $\bar x$ over the map; brought
    to mean 0 and deviation 1 over the positions, $\sigma(\gamma \hat c + \beta)$ is the weight. γ and β are
    one number each per group and start at 0 and 1, so that at first every weight is σ(1). ε stands below the
    root.
    Shapes: (batch, channels, height, width) -> the same. Parameters: 2 groups. Raises UsageError where
    groups do not divide the channels.
    """

    def __init__(self, channels: int, groups: int = 64, eps: float = 1e-5):
        super().__init__()
        divided(channels, groups)
        self.groups, self.eps = groups, eps
        self.weight, self.bias = nn.Parameter(torch.zeros(groups)), nn.Parameter(torch.ones(groups))

    def gate(self, x: Tensor) -> Tensor:
        """(b, c, h, w), equal within each group of channels."""
        parts = wide(x).unflatten(1, (self.groups, -1))  # (b, g, c/g, h, w)
        alike = (parts * parts.mean((3, 4), keepdim=True)).sum(2)  # (b, g, h, w)
        mean, variance = moments(alike, (2, 3))
        even = ((alike - mean) * (variance + self.eps).rsqrt()).to(x.dtype)
        scores = even * self.weight[:, None, None] + self.bias[:, None, None]
        return scores.sigmoid().repeat_interleave(x.shape[1] // self.groups, 1)


@method("simam", year=2021, paper="Yang et al., ICML", topics=("vision",))
class SimAM(AbstractGate):
    r"""SimAM: a number counts more the farther it is from its channel's mean; no parameters.

    $x · \sigma(\frac{d}{4 (v + λ)} + \frac{1}{2})$ with $d = (x - \mu)^2$ and $v = \sum d / (n - 1)$ over
    the n positions of the channel.
    Shapes: (batch, channels, height, width) -> the same. Raises UsageError for a λ that is not above 0.
    """

    def __init__(self, lambda_: float = 1e-4):
        super().__init__()
        if lambda_ <= 0:
            raise UsageError(f"lambda_={lambda_} must be above 0: it keeps a constant channel finite")
        self.lambda_ = lambda_

    def gate(self, x: Tensor) -> Tensor:
        """(b, c, h, w)."""
        numbers = wide(x)
        d = (numbers - numbers.mean((2, 3), keepdim=True)).square()
        v = d.sum((2, 3), keepdim=True) / max(1, x.shape[2] * x.shape[3] - 1)
        return (d / (4 * (v + self.lambda_)) + 0.5).sigmoid().to(x.dtype)
