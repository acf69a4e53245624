"""What semi-supervised learners share: a network, augmentations, and batches of two kinds of rows."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.reader import create
from ...data.streams import Streams
from ...engine.errors import UsageError
from ...engine.learner import Batch, Learner, Source

if TYPE_CHECKING:
    from ...data.prepared import Prepared
    from ...data.spec import Spec

Augmentation = str | Callable[[], nn.Module]  # a name, or what makes one
NEEDED = "say how many rows keep their targets, such as --set labels=250"


class AbstractSemiSupervised(Learner):
    """A classifier of rows with and without labels; a batch is (x, y, u), `ratio` times as many u as x."""

    def __init__(self, network: nn.Module, ratio: int):
        super().__init__()
        if ratio < 1:
            raise UsageError(f"ratio={ratio}: at least one unlabelled row comes with each labelled one")
        self.network, self.ratio = network, ratio

    def source(self, data: "Prepared", batch_size: int, seed: int, device: Any) -> Source:
        """`batch_size` labelled and `ratio` times as many unlabelled rows a step, each in its own order."""
        if data.unlabelled is None:
            raise UsageError(f"{type(self).__name__} also learns from rows without targets: {NEEDED}")
        if data.train.weight is not None:
            raise UsageError(f"{type(self).__name__} takes no sample weights")
        parts = (data.train, replace(data.unlabelled, y=None))
        return Streams(parts, (batch_size, self.ratio * batch_size), seed, device)

    def judge(self, x: Tensor) -> Tensor:  # (b, ...) -> (b, k)
        """The logits that count when training is over."""
        return self.network(x)

    def scores(self, batch: Batch) -> dict[str, Tensor]:
        """Per sample: the cross entropy and the accuracy."""
        logits = self.judge(batch[0])
        right = (logits.argmax(1) == batch[1]).float()
        return {"loss": F.cross_entropy(logits, batch[1], reduction="none"), "accuracy": right}

    def predict(self, x: Tensor) -> Tensor:
        """Class probabilities (batch, classes)."""
        return self.judge(x).softmax(1)


def augmentation(chosen: Augmentation | Sequence[Augmentation], usual: Sequence[Augmentation]) -> nn.Module:
    """One augmentation after the other; `usual` where nothing ("") is chosen."""
    if chosen == "":
        chosen = usual
    every = (chosen,) if isinstance(chosen, str) or callable(chosen) else chosen
    return nn.Sequential(*(create(each) if isinstance(each, str) else each() for each in every))


def refuse_other_tasks(name: str, spec: "Spec") -> None:
    """Raise UsageError unless the data has classes."""
    if spec.task != "classification":
        raise UsageError(f"{name} learns classes, and this data's task is {spec.task}")
