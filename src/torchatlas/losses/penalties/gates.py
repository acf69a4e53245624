"""The penalty on gates that are open."""

from typing import Any

import torch
from torch import Tensor, nn

from ...cards.card import method
from ...engine.errors import UsageError
from ...nn.regularization.hard_concrete import HardConcrete
from .penalty import AbstractPenalty


@method("l0_regularization", year=2017, paper="arXiv:1712.01312", topics=("regularization", "compression"))
class L0Regularization(AbstractPenalty):
    r"""L0 regularisation: $\lambda$ times how many hard concrete gates are expected to be open.

    $\lambda \sum \sigma(\log\alpha - \beta \ln(-\gamma / \zeta))$ over every gate of every `HardConcrete` in
    the network: a number of things that are not 0, which has a gradient all the same. λ is `strength`.
    Errors: `UsageError` for a network without such gates.
    """

    def __init__(self, strength: float = 1e-3):
        super().__init__(strength)

    def forward(self, network: nn.Module, *batch: Any) -> Tensor:
        counts = [module.open() for module in network.modules() if isinstance(module, HardConcrete)]
        if not counts:
            raise UsageError(
                f"{type(network).__name__} has no HardConcrete gates, which l0_regularization counts"
            )
        return self.strength * torch.stack(counts).sum()
