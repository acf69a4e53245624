"""Filter response normalisation: each channel of each sample by itself, without a mean."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from .batch import per_channel, wide
from .deviation import positions


@method("frn", year=2019, paper="arXiv:1911.09737", tiny={"num_features": 4})
class FilterResponseNorm(nn.Module):
    r"""Filter response normalisation with TLU: by the mean square over positions, then a learned threshold.

    $z = \max(\gamma x / \sqrt{\nu^2 + \epsilon} + \beta, \tau)$ with $\nu^2 = \mathrm{mean}\, x^2$ over the
    positions of a channel of one sample. No mean is taken off; the learned threshold τ per channel stands for
    ReLU, so no activation follows. threshold=False leaves it out.
    Shapes: (batch, channels, positions ...) -> the same. Raises UsageError for maps without positions.
    """

    def __init__(self, num_features: int, eps: float = 1e-6, threshold: bool = True):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.tau = nn.Parameter(torch.zeros(num_features)) if threshold else None

    def forward(self, x: Tensor) -> Tensor:  # (n, c, ...) -> (n, c, ...)
        numbers = wide(x)
        square = numbers.square().mean(positions(x), keepdim=True)  # (n, c, 1 ...)
        y = numbers * (square + self.eps).rsqrt() * per_channel(self.weight, x) + per_channel(self.bias, x)
        if self.tau is not None:
            y = torch.maximum(y, per_channel(wide(self.tau), x))
        return y.to(x.dtype)
