"""What penalties share: how they are called, what they weigh, and which weights they look at."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from ...engine.errors import UsageError

Loss = Callable[[Tensor], Tensor]  # a prediction -> the mean loss of the batch that it is for


class AbstractPenalty(nn.Module):
    """A penalty: `penalty(network)` or `penalty(network, x, prediction, loss)` is a scalar to add to a loss.

    x is a batch of inputs, `prediction` what the network made of them, `loss` the batch's mean loss as a
    function of a prediction. Penalties on weights need none of these. Of a batch in parts each part's penalty
    counts by the part's share, as its loss does; `indivisible` says why where that is not the whole batch's.
    Errors: `UsageError` for a strength below 0.
    """

    indivisible = ""

    def __init__(self, strength: float):
        super().__init__()
        self.strength = at_least_zero("strength", strength)

    def forward(self, network: nn.Module, *batch: Any) -> Tensor:
        raise NotImplementedError


class Penalties(nn.ModuleList):
    """Several penalties, added up."""

    @property
    def indivisible(self) -> str:
        """Why the penalty of a batch is not the mean of its parts'; "" where it is."""
        return next((why for each in self if (why := getattr(each, "indivisible", ""))), "")

    def forward(self, network: nn.Module, *batch: Any) -> Tensor:
        total: Tensor = sum(each(network, *batch) for each in self)
        return total


def weights_of(network: nn.Module, biases: bool = False) -> list[Tensor]:
    """The parameters of two and more dimensions; with `biases` all of them, scales of norms included.

    Raises UsageError where there are none.
    """
    found: list[Tensor] = [p for p in network.parameters() if biases or p.ndim > 1]
    if not found:
        raise UsageError(f"{type(network).__name__} has no weights to penalise")
    return found


def at_least_zero(name: str, value: float) -> float:
    """The value itself. Raises UsageError where it is below 0, or no number."""
    if not value >= 0:
        raise UsageError(f"{name} must be at least 0, not {value}")
    return value
