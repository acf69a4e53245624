"""Penalties on the size of weights."""

from typing import Any

import torch
from torch import Tensor, nn

from ...cards.card import method
from .penalty import AbstractPenalty, at_least_zero, weights_of


@method(
    "l2_regularization",
    year=1970,
    paper="Hoerl and Kennard, Technometrics 12(1)",
    aliases=("ridge_penalty",),
    topics=("regularization",),
)
class L2Regularization(AbstractPenalty):
    r"""L2 regularisation: $\lambda \sum w^2$, whose gradient is $2 \lambda w$.

    SGD's `weight_decay` d has the gradient $d w$: $\lambda = d/2$ is the same. Under Adam it is not the decay
    of AdamW, which does not pass through the moments. λ is `strength`.
    biases: count all parameters; by default those of two and more dimensions, not biases and norms.
    """

    def __init__(self, strength: float = 1e-4, biases: bool = False):
        super().__init__(strength)
        self.biases = biases

    def forward(self, network: nn.Module, *batch: Any) -> Tensor:
        return self.strength * squares(weights_of(network, self.biases))


@method(
    "l1_regularization",
    year=1996,
    paper="Tibshirani, JRSS B 58(1)",
    aliases=("lasso_penalty",),
    topics=("regularization",),
)
class L1Regularization(AbstractPenalty):
    r"""L1 regularisation: $\lambda \sum |w|$, which draws weights to exactly 0 and others less far.

    λ is `strength`. Descent alone makes weights small, seldom 0: its gradient jumps there.
    biases: count all parameters; by default those of two and more dimensions, not biases and norms.
    """

    def __init__(self, strength: float = 1e-5, biases: bool = False):
        super().__init__(strength)
        self.biases = biases

    def forward(self, network: nn.Module, *batch: Any) -> Tensor:
        return self.strength * magnitudes(weights_of(network, self.biases))


@method("elastic_net", year=2005, paper="Zou and Hastie, JRSS B 67(2)", topics=("regularization",))
class ElasticNet(AbstractPenalty):
    r"""Elastic net: $\lambda_1 \sum |w| + \lambda_2 \sum w^2$, which keep related weights together.

    $\lambda_1$ is `l1`, $\lambda_2$ `l2`; `strength` multiplies both.
    biases: count all parameters; by default those of two and more dimensions, not biases and norms.
    """

    def __init__(self, l1: float = 1e-5, l2: float = 1e-4, strength: float = 1.0, biases: bool = False):
        super().__init__(strength)
        self.l1, self.l2, self.biases = at_least_zero("l1", l1), at_least_zero("l2", l2), biases

    def forward(self, network: nn.Module, *batch: Any) -> Tensor:
        weights = weights_of(network, self.biases)
        return self.strength * (self.l1 * magnitudes(weights) + self.l2 * squares(weights))


@method("weissi", year=2020, paper="arXiv:2008.02965", topics=("regularization",))
class Weissi(AbstractPenalty):
    r"""WEISSI: $\lambda \sum_l \ln \|W_l\|$, the same however scale is shifted from layer to layer.

    Multiplying one layer's weights by c and another's by 1/c leaves a net of ReLUs what it was, and this
    penalty, not L2's. $\|W_l\|$ is the length of a layer's weights as one vector, λ is `strength`. It may be
    negative and has no lower bound: weights that are all 0 count as the smallest number there is.
    """

    def __init__(self, strength: float = 1e-4):
        super().__init__(strength)

    def forward(self, network: nn.Module, *batch: Any) -> Tensor:
        lengths = torch.stack([torch.linalg.vector_norm(w) for w in weights_of(network)])
        return self.strength * lengths.clamp_min(torch.finfo(lengths.dtype).tiny).log().sum()


def squares(weights: list[Tensor]) -> Tensor:
    """The sum of all squares."""
    return torch.stack([w.square().sum() for w in weights]).sum()


def magnitudes(weights: list[Tensor]) -> Tensor:
    """The sum of all absolute values."""
    return torch.stack([w.abs().sum() for w in weights]).sum()
