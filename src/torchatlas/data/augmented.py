"""Training batches that are changed at random on the way: augmentation around any source."""

from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..engine.errors import UsageError
from ..engine.randomness import reseed


class Augmented:
    """The batches of a source, augmented: a function of (seed, step), as the source's own are.

    Every turn of a step gets the same batch. Augmentations are called in their order, `augment(x)`; one that
    mixes rows (`mixes`) is called `augment(x, y)`, and class numbers become probabilities for it,
    (batch, `classes`), which is what the learner gets then.
    Raises UsageError where rows with sample weights, or without targets, are to be mixed.
    """

    draws = False  # it seeds the default generators itself, by the step

    def __init__(
        self, source: Any, augment: Iterable[nn.Module], seed: int, device: Any = "cpu", classes: int = 0
    ):
        self.source, self.seed, self.device, self.classes = source, seed, device, classes
        self.augment = list(_single(augment))
        self.mixes = any(getattr(each, "mixes", False) for each in self.augment)
        self.steps_per_epoch: int = source.steps_per_epoch
        if hasattr(source, "divide") and not self.mixes:  # who mixes needs all rows
            self.divide = source.divide

    @torch.no_grad()
    def batch(self, step: int, turn: int = 0, learner: Any = None) -> tuple[Tensor, ...]:
        """The augmented batch of a step: inputs, then targets and weights where there are any."""
        x, *others = self.source.batch(step, turn, learner)
        if self.mixes:
            if len(others) != 1:
                what = "has sample weights" if others else "has no targets"
                raise UsageError(f"this data {what}, and mixing rows needs one target for each: leave it out")
            others = [self._numbers(others[0])]
        reseed(self.device, self.seed, step, "augment")
        for each in self.augment:
            if getattr(each, "mixes", False):
                x, others[0] = each(x, others[0])
            else:
                x = each(x)
        return (x, *others)

    def _numbers(self, y: Tensor) -> Tensor:
        """Targets that can be mixed."""
        return y if y.is_floating_point() else F.one_hot(y, self.classes).to(torch.get_default_dtype())

    def close(self) -> None:
        """End what the source has running."""
        if hasattr(self.source, "close"):
            self.source.close()

    def state_dict(self) -> dict[str, Any]:
        """The source's: (seed, step) tells the rest."""
        state: dict[str, Any] = self.source.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the source's state back."""
        self.source.load_state_dict(state)


def _single(augment: Iterable[nn.Module]) -> Iterable[nn.Module]:
    """Augmentations one by one: a chain of some is its parts."""
    for each in augment:
        if isinstance(each, nn.Sequential):
            yield from _single(each)
        else:
            yield each
