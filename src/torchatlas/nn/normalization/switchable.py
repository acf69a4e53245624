"""Switchable normalisation: a layer learns whose statistics it takes."""

import torch
from torch import Tensor, nn

from ...cards.card import method
from .batch import AbstractBatchNorm, per_channel
from .deviation import Variance, positions


@method("switchable_norm", year=2018, paper="arXiv:1806.10779", tiny={"num_features": 4})
class SwitchableNorm(AbstractBatchNorm):
    r"""Switchable normalisation: a learned mixture of instance, layer and batch statistics.

    $\gamma (x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta$ with $\mu = \sum_k w_k \mu_k$ and
    $\sigma^2 = \sum_k v_k \sigma_k^2$ over k = instance, layer, batch; w and v are softmaxes of three learned
    numbers each, alike at the start. The batch's part has running statistics for evaluation.
    Shapes: (batch, channels, positions ...) -> the same. Raises UsageError for maps without positions.
    """

    standardises = False

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True):
        super().__init__(num_features, Variance(), eps, momentum, affine)
        self.mean_weight, self.var_weight = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))

    def normalised(self, x: Tensor, centre: Tensor, spread: Tensor) -> Tensor:
        """Distances from the mixed mean, in units of the mixed deviation."""
        variances, means = torch.var_mean(x, positions(x), correction=0, keepdim=True)
        spread_of_means, layer_mean = torch.var_mean(means, 1, correction=0, keepdim=True)
        layer_variance = variances.mean(1, keepdim=True) + spread_of_means  # within channels and between them
        w, v = self.mean_weight.to(x.dtype).softmax(0), self.var_weight.to(x.dtype).softmax(0)
        mean = w[0] * means + w[1] * layer_mean + w[2] * per_channel(centre, x)
        variance = v[0] * variances + v[1] * layer_variance + v[2] * per_channel(spread, x)
        return (x - mean) * (variance + self.eps).rsqrt()
