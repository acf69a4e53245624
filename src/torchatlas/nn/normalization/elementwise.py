"""In place of normalisation: functions of each number alone, which squash as a layer norm does."""

import math

import torch
from torch import Tensor, nn

from ...cards.card import method
from ..activations.pointwise import along
from .batch import wide


class AbstractElementwise(nn.Module):
    """A squashing function of each number, then a factor and a summand per feature, as in a layer norm.

    dim: where the features lie; the last dimension by default. Any shape -> the same. Raises UsageError for
    another number of features.
    """

    def __init__(self, num_features: int, dim: int = -1):
        super().__init__()
        self.num_features, self.dim = num_features, dim
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))

    def squashed(self, x: Tensor) -> Tensor:
        """The function of each number."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = along(self.weight, x, self.dim), along(self.bias, x, self.dim)
        return (self.squashed(wide(x)) * weight + bias).to(x.dtype)


@method("dyt", year=2025, paper="arXiv:2503.10622", tiny={"num_features": 4})
class DyT(AbstractElementwise):
    r"""Dynamic tanh: $\gamma \tanh(\alpha x) + \beta$ in the place of a layer norm, with one learned α.

    alpha: where α starts. γ and β are per feature, which lie along `dim`. Any shape -> the same.
    """

    def __init__(self, num_features: int, alpha: float = 0.5, dim: int = -1):
        super().__init__(num_features, dim)
        self.alpha = nn.Parameter(torch.full((), float(alpha)))

    def squashed(self, x: Tensor) -> Tensor:
        """The hyperbolic tangent of αx."""
        return torch.tanh(wide(self.alpha) * x)


@method("dyisru", year=2025, paper="arXiv:2503.21708", tiny={"num_features": 4})
class DyISRU(AbstractElementwise):
    r"""Dynamic inverse square root unit: $\gamma \sqrt d x / \sqrt{x^2 + C} + \beta$ with one learned C.

    Where C is the sum of the other d - 1 squares it is RMSNorm. C is kept above zero as the exponential of a
    parameter; it starts at d, so that numbers of variance 1 keep about their size. γ and β are per feature,
    which lie along `dim`. Any shape -> the same.
    """

    def __init__(self, num_features: int, dim: int = -1):
        super().__init__(num_features, dim)
        self.log_c = nn.Parameter(torch.full((), math.log(num_features)))

    def squashed(self, x: Tensor) -> Tensor:
        """√d x / √(x² + C)."""
        return math.sqrt(self.num_features) * x * (x.square() + wide(self.log_c).exp()).rsqrt()
