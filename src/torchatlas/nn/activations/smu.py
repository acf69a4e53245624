"""SMU: the maximum of two lines, smoothed by approximations of the absolute value."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ...cards.card import method
from .pointwise import pointwise


def _smu(x: Tensor, mu: Tensor, alpha: float) -> Tensor:
    d = (1 - alpha) * x
    return ((1 + alpha) * x + d * (mu * d).erf()) / 2


def _smu_slopes(x: Tensor, mu: Tensor, alpha: float) -> Iterator[Tensor]:
    d = (1 - alpha) * x
    z = mu * d
    bell = (-z * z).exp() / math.sqrt(math.pi)
    yield ((1 + alpha) + (1 - alpha) * (z.erf() + 2 * z * bell)) / 2
    yield d * (d * bell)


def _smu_1(x: Tensor, mu: Tensor, alpha: float) -> Tensor:
    return ((1 + alpha) * x + _root(x, mu, alpha)) / 2


def _smu_1_slopes(x: Tensor, mu: Tensor, alpha: float) -> Iterator[Tensor]:
    root = _root(x, mu, alpha).clamp(min=torch.finfo(x.dtype).tiny)
    yield ((1 + alpha) + (1 - alpha) ** 2 * (x / root)) / 2
    yield mu / root / 2


def _root(x: Tensor, mu: Tensor, alpha: float) -> Tensor:
    return torch.hypot((1 - alpha) * x, mu.expand_as(x))


smu = pointwise(_smu, _smu_slopes)
smu_1 = pointwise(_smu_1, _smu_1_slopes)


@method("smu", year=2021, paper="arXiv:2111.04682")
class SMU(nn.Module):
    r"""SMU: a smooth maximum of x and αx by the error function.

    $((1 + \alpha) x + (1 - \alpha) x \mathrm{erf}(\mu (1 - \alpha) x)) / 2$. μ is learned, one for the
    layer. At its published start of a million the function is LeakyReLU to single precision, and μ gets a
    gradient only from inputs nearer to zero than 2e-5; near one it is smooth and learns. $\alpha = 0$ with
    $\mu = 1 / \sqrt{2}$ is GELU.
    """

    def __init__(self, alpha: float = 0.25, mu: float = 1e6):
        super().__init__()
        self.alpha = alpha
        self.mu = nn.Parameter(torch.full((), float(mu)))

    def forward(self, x: Tensor) -> Tensor:
        most = torch.finfo(self.mu.dtype).max  # a million is infinite in float16, and ∞ times zero no number
        return smu(x, self.mu.clamp(max=most), self.alpha)


@method("smu_1", year=2021, paper="arXiv:2111.04682")
class SMU1(nn.Module):
    r"""SMU-1: a smooth maximum of x and αx by a square root.

    $((1 + \alpha) x + \sqrt{(1 - \alpha)^2 x^2 + \mu^2}) / 2$. μ is learned, one for the layer.
    """

    def __init__(self, alpha: float = 0.25, mu: float = 4.352665993287951e-9):
        super().__init__()
        self.alpha = alpha
        self.mu = nn.Parameter(torch.full((), float(mu)))

    def forward(self, x: Tensor) -> Tensor:
        return smu_1(x, self.mu, self.alpha)
