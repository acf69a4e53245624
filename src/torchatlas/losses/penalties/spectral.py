"""Penalties on how far a layer can stretch its input."""

from typing import Any

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from .agreement import row_units
from .penalty import AbstractPenalty, weights_of


@method(
    "spectral_norm_regularization",
    year=2017,
    paper="arXiv:1705.10941",
    aliases=("spectral_norm_penalty",),
    topics=("regularization",),
)
class SpectralNormRegularization(AbstractPenalty):
    r"""Spectral norm regularisation: $\frac{\lambda}{2} \sum_l \sigma(W_l)^2$ of the largest singular values.

    Weights of more than two dimensions count as matrices (outputs, all else). $\sigma$ is found by power
    iteration from a random vector, `iterations` times, without gradient: $u^T W v$ then is a lower bound that
    comes near fast, with the gradient $u v^T$. The paper goes one iteration a step and keeps vectors; here
    nothing is kept. λ is `strength`.
    """

    def __init__(self, strength: float = 0.01, iterations: int = 5):
        super().__init__(strength)
        if iterations < 1:
            raise UsageError(f"iterations must be at least 1, not {iterations}")
        self.iterations = iterations

    def forward(self, network: nn.Module, *batch: Any) -> Tensor:
        norms = [self.norm(weight.flatten(1)) for weight in weights_of(network)]
        return self.strength / 2 * torch.stack(norms).square().sum()

    def norm(self, matrix: Tensor) -> Tensor:  # (h, d) -> ()
        """A lower bound of a matrix's largest singular value, with its gradient."""
        with torch.no_grad():
            v = row_units(torch.randn_like(matrix[:1]))  # (1, d)
            for _ in range(self.iterations):
                u = row_units(v @ matrix.mT)  # (1, h)
                v = row_units(u @ matrix)
        return (u @ matrix * v).sum()
