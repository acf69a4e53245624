"""Gaussian noise on inputs."""

import torch
from torch import Tensor, nn

from ...cards.card import method


@method("gaussian_noise", topics=("augmentation",))
class GaussianNoise(nn.Module):
    r"""Noise on every number: $x + \sigma\varepsilon$ with $\varepsilon \sim N(0, 1)$.

    `sigma` is in units of the inputs, which are standardised as a rule.
    Shapes: (batch, ...) -> the same.
    """

    def __init__(self, sigma: float = 0.15):
        super().__init__()
        self.sigma = sigma

    def forward(self, x: Tensor) -> Tensor:
        return x + self.sigma * torch.randn_like(x)
