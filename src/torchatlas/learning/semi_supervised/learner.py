"""What semi-supervised learners share: a network, augmentations, and batches of two kinds of rows."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from torch import nn

from ...data.augmentation.chain import Choice as Augmentation, chain
from ...data.streams import Streams
from ...engine.errors import UsageError
from ...engine.learner import Source
from ..supervised.judged import AbstractJudged

if TYPE_CHECKING:
    from ...data.prepared import Prepared
    from ...data.spec import Spec

NEEDED = "say how many rows keep their targets, such as --set labels=250"


class AbstractSemiSupervised(AbstractJudged):
    """A classifier of rows with and without labels; a batch is (x, y, u), `ratio` times as many u as x."""

    def __init__(self, network: nn.Module, ratio: int):
        super().__init__(network)
        if ratio < 1:
            raise UsageError(f"ratio={ratio}: at least one unlabelled row comes with each labelled one")
        self.ratio = ratio

    def source(self, data: "Prepared", batch_size: int, seed: int, device: Any) -> Source:
        """`batch_size` labelled and `ratio` times as many unlabelled rows a step, each in its own order."""
        if data.unlabelled is None:
            raise UsageError(f"{type(self).__name__} also learns from rows without targets: {NEEDED}")
        if data.train.weight is not None:
            raise UsageError(f"{type(self).__name__} takes no sample weights")
        parts = (data.train, replace(data.unlabelled, y=None))
        return Streams(parts, (batch_size, self.ratio * batch_size), seed, device)


def augmentation(chosen: Augmentation | Sequence[Augmentation], usual: Sequence[Augmentation]) -> nn.Module:
    """One augmentation after the other; `usual` where nothing ("") is chosen."""
    return chain(usual if chosen == "" else chosen)


def refuse_other_tasks(name: str, spec: "Spec") -> None:
    """Raise UsageError unless the data has classes."""
    if spec.task != "classification":
        raise UsageError(f"{name} learns classes, and this data's task is {spec.task}")
