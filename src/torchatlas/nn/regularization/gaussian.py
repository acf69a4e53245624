"""Gaussian dropout: noise that multiplies."""

import math

import torch
from torch import Tensor, nn

from ...cards.card import method
from .rate import checked


@method("gaussian_dropout", year=2014, paper="Srivastava et al., JMLR 15", topics=("regularization",))
class GaussianDropout(nn.Module):
    r"""Gaussian dropout: each number times a normal one of mean 1 and variance p/(1 - p) while training.

    $x (1 + \sqrt{\frac{p}{1 - p}} \varepsilon)$ with $\varepsilon \sim N(0, 1)$: mean and variance are those
    of dropout at the rate p, whose noise has two values.
    Shapes: any -> the same. Evaluation: x.
    Errors: `UsageError` unless 0 <= p < 1.
    """

    def __init__(self, p: float = 0.5):
        super().__init__()
        self.p = checked(p)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        return x + x * (math.sqrt(self.p / (1 - self.p)) * torch.randn_like(x))
