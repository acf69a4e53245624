"""What few-shot learners share: they are trained and scored on episodes."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...data.episodes import Episodes
from ...engine.errors import UsageError
from ...engine.learner import Batch, Learner, Source

if TYPE_CHECKING:
    from ...data.prepared import Prepared
    from ...data.spec import Part, Spec

TRIALS, AT_ONCE = 200, 20  # episodes that a part is scored on, and how many at a time


class AbstractFewShot(Learner):
    """A learner of episodes: batches of (support x, support y, query x, query y), episodes first.

    `way` classes with `shot` labelled samples each, `query` asked ones; training may take `train_way` classes
    and `train_query` samples (0: the same). A batch of the recipe is so many episodes. New rows without a
    support set have no answer, so there is no `predict`.
    """

    monitor: ClassVar[str] = "accuracy"
    maximise: ClassVar[bool] = True

    def __init__(
        self,
        network: nn.Module,
        way: int = 5,
        shot: int = 1,
        query: int = 15,
        *,
        train_way: int = 0,
        train_query: int = 0,
    ):
        super().__init__()
        self.network, self.way, self.shot, self.query = network, way, shot, query
        self.train_way, self.train_query = train_way or way, train_query or query

    def source(self, data: "Prepared", batch_size: int, seed: int, device: Any) -> Source:
        """`batch_size` episodes of training classes a step."""
        sizes = (self.train_way, self.shot, self.train_query)
        return Episodes(data.train, *sizes, seed, tasks=batch_size, device=device)

    def trials(self, part: "Part", seed: int) -> Iterator[Batch]:
        """Episodes of the part's classes, the same for the same seed."""
        episodes = Episodes(part, self.way, self.shot, self.query, seed, device=part.x.device)
        single = episodes.trials(TRIALS)
        for _ in range(TRIALS // AT_ONCE):
            several = [next(single) for _ in range(AT_ONCE)]
            yield tuple(torch.cat(parts) for parts in zip(*several, strict=True))

    def logits(self, batch: Batch, training: bool = False) -> Tensor:  # -> (episodes, query, way)
        """Of each query sample, by what its episode's support set taught; with gradient where training."""
        raise NotImplementedError

    def loss(self, player: str, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The query samples' mean cross entropy over all episodes."""
        logits, target = self.logits(batch, training=True).flatten(0, 1), batch[3].flatten()
        return F.cross_entropy(logits, target), {"accuracy": (logits.argmax(1) == target).float().mean()}

    def scores(self, batch: Batch) -> dict[str, Tensor]:
        """Per query sample: the accuracy and the cross entropy."""
        logits, target = self.logits(batch).flatten(0, 1), batch[3].flatten()
        right = (logits.argmax(1) == target).float()
        return {"accuracy": right, "loss": F.cross_entropy(logits, target, reduction="none")}


def refuse_other_tasks(name: str, spec: "Spec") -> None:
    """Raise UsageError unless the data has classes."""
    if spec.task != "classification":
        raise UsageError(f"{name} learns classes from few samples, and this data's task is {spec.task}")
