"""What long-tailed learners share: a network whose last layer is apart, and batches that differ by stage."""

from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from ...engine.errors import UsageError
from ...engine.learner import Batch, Learner, Source
from ..supervised.judged import AbstractJudged

if TYPE_CHECKING:
    from ...data.prepared import Prepared
    from ...data.spec import Spec


class AbstractLongTailed(AbstractJudged):
    """A classifier of features: `network` has `forward_features` and a linear `head`.

    `judge` gives the scores that count. Raises UsageError for networks of another kind.
    """

    def __init__(self, network: nn.Module):
        super().__init__(network)
        linear = isinstance(getattr(network, "head", None), nn.Linear)
        if not (linear and hasattr(network, "forward_features")):
            name = getattr(network, "__atlas__", type(network).__name__)
            raise UsageError(f"{name} has no features with a linear head on top; mlp and the resnets have")

    @property
    def head(self) -> nn.Linear:
        """The network's last layer."""
        return cast(nn.Linear, self.network.head)

    def features(self, x: Tensor) -> Tensor:  # (b, ...) -> (b, d)
        """What the network makes of its inputs below the head, with gradient and in its present mode."""
        return cast(Tensor, self.network.forward_features(x))  # type: ignore[operator]

    def still_features(self, x: Tensor) -> Tensor:  # (b, ...) -> (b, d)
        """Features of a network that stands still: no gradient, no dropout, no statistics of the batch."""
        mode = self.network.training
        self.network.eval()
        with torch.no_grad():
            found = self.features(x)
        self.network.train(mode)
        return found


class Staged:
    """Batches of one source until a player's turns come, of another in those."""

    draws = False

    def __init__(self, first: Source, second: Source, player: str):
        self.first, self.second, self.player = first, second, player
        self.steps_per_epoch = first.steps_per_epoch

    def batch(self, step: int, turn: int, learner: Learner) -> Batch:
        """The batch of one turn of one step."""
        later = learner.turns(step)[turn] == self.player
        return (self.second if later else self.first).batch(step, turn, learner)

    def state_dict(self) -> dict[str, Any]:
        """Nothing: (seed, step) tells everything."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to take back."""


def refuse_other_data(name: str, spec: "Spec") -> None:
    """Raise UsageError unless the data has classes."""
    if spec.task != "classification":
        raise UsageError(f"{name} learns classes, and this data's task is {spec.task}")


def labels_of(name: str, data: "Prepared") -> Tensor:
    """The training part's class numbers. Raises UsageError where rows have weights of their own."""
    if data.train.weight is not None:
        raise UsageError(f"{name} weighs classes itself and takes no sample weights")
    assert data.train.y is not None
    return data.train.y
