"""Penalties on filters that point the same way."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from ...cards.card import method
from ..reduction import single
from .penalty import AbstractPenalty, at_least_zero, weights_of


@method("self_orthogonality", year=2020, paper="arXiv:2001.01275", topics=("regularization",))
class SelfOrthogonality(AbstractPenalty):
    r"""Self-orthogonality: a layer's filters are pushed to right angles.

    $\lambda_1 (\sum V)^2 + \lambda_2 \sum V^2$: of two filters with the angle $\theta$ between them
    $V = 1 - 2\theta/\pi$, from 1 (one direction) over 0 (orthogonal) to -1; it is the mean of
    sign(a·x) sign(b·x) over random directions x. Sums are over ordered
    pairs of different filters of a layer, and added over layers. $\lambda_1$ is `mean`, $\lambda_2$ `spread`;
    `strength` multiplies both. A filter is a row of the weight as a matrix (outputs, all else); one of
    zeros is orthogonal to all. The gradient of two filters of one direction is 0, as none is better.
    """

    def __init__(self, strength: float = 1e-3, mean: float = 1.0, spread: float = 1.0):
        super().__init__(strength)
        self.mean, self.spread = at_least_zero("mean", mean), at_least_zero("spread", spread)

    def forward(self, network: nn.Module, *batch: Any) -> Tensor:
        parts = []
        for weight in weights_of(network):
            v = agreement(weight.flatten(1))
            parts.append(self.mean * v.sum().square() + self.spread * v.square().sum())
        return self.strength * torch.stack(parts).sum()


def agreement(filters: Tensor) -> Tensor:  # (h, d) -> (h, h)
    r"""$1 - 2\theta/\pi$ of each pair of rows, 0 on the diagonal."""
    filters = single(filters)
    squared = filters.square().sum(1, keepdim=True)
    units = filters / torch.where(squared > 0, squared, 1.0).sqrt()
    with torch.autocast(filters.device.type, enabled=False):  # small angles need the digits
        cosine = units @ units.mT
    parallel = cosine.abs() >= 1 - 4 * torch.finfo(cosine.dtype).eps  # there asin has no gradient
    angled = torch.asin(torch.where(parallel, 0.0, cosine)) * (2 / math.pi)
    v = torch.where(parallel, cosine.detach().sign(), angled)
    return v * (1 - torch.eye(len(v), dtype=v.dtype, device=v.device))
