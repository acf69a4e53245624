"""SAU: a LeakyReLU blurred by a narrow bell."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .pointwise import pointwise


def _bell(x: Tensor, sigma: float) -> Tensor:
    """σ² times the normal density of spread σ."""
    z = x / sigma
    return sigma / math.sqrt(2 * math.pi) * (-z * z / 2).exp()


def _value(x: Tensor, alpha: Tensor, sigma: float) -> Tensor:
    blurred = x * (x / (math.sqrt(2) * sigma)).erf()
    return (1 - alpha) * (_bell(x, sigma) + blurred / 2) + (1 + alpha) * x / 2


def _slopes(x: Tensor, alpha: Tensor, sigma: float) -> Iterator[Tensor]:
    share = (x / (math.sqrt(2) * sigma)).erf()
    yield ((1 + alpha) + (1 - alpha) * share) / 2  # the slopes of bell and share cancel
    yield (x - x * share) / 2 - _bell(x, sigma)


sau = pointwise(_value, _slopes)


@method("sau", year=2021, paper="arXiv:2109.13210")
class SAU(nn.Module):
    r"""SAU: LeakyReLU of slope α convolved with a normal density of spread σ.

    $(1 - \alpha) (\sigma n(x / \sigma) + x \mathrm{erf}(x / (\sqrt{2} \sigma)) / 2) + (1 + \alpha) x / 2$,
    where n is the standard normal density. α is learned, one for the layer, from `alpha`; `sigma` stays.
    Raises UsageError unless sigma is positive.
    """

    def __init__(self, alpha: float = 0.15, sigma: float = 5e-5):
        super().__init__()
        if not sigma > 0:
            raise UsageError(f"sigma={sigma} must be positive; leaky_relu is what it tends to at zero")
        self.alpha, self.sigma = nn.Parameter(torch.full((), float(alpha))), sigma

    def forward(self, x: Tensor) -> Tensor:
        return sau(x, self.alpha, self.sigma)
