"""The moving average of a learner's weights, which is validated and kept in their place."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from .distribution import like, whole
from .learner import Learner


class Average:
    r"""An average that forgets: $\bar w \leftarrow \beta \bar w + (1 - \beta) w$ after each step.

    Buffers, such as batch statistics, are the learner's own. Weights that are kept in parts have means in
    parts.
    """

    def __init__(self, learner: Learner, decay: float):
        self.learner, self.decay = learner, decay
        self.weights: list[Tensor] = list(learner.parameters())
        self.means = [weight.detach().clone() for weight in self.weights]

    @torch.no_grad()
    def update(self) -> None:
        """Take up the weights of now."""
        torch._foreach_lerp_(self.means, self.weights, 1 - self.decay)

    @contextmanager
    def within(self) -> Iterator[None]:
        """The learner has the average's weights, for as long as this is open."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    @torch.no_grad()
    def _exchange(self) -> None:
        for weight, mean in zip(self.weights, self.means):
            held = weight.detach().clone()
            weight.copy_(mean)
            mean.copy_(held)

    def state_dict(self) -> dict[str, Any]:
        """The learner's state with these weights, as whole tensors."""
        means = dict(zip(map(id, self.weights), self.means))
        named = self.learner.named_parameters(remove_duplicate=False)
        state: dict[str, Any] = whole(self.learner.state_dict() | {name: means[id(w)] for name, w in named})
        return state

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        for (name, weight), mean in zip(self.learner.named_parameters(), self.means, strict=True):
            mean.copy_(like(state[name], weight))
