"""Episodes: small tasks of a few classes, drawn from many, for learning to learn."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ..engine.errors import DataError
from ..engine.randomness import generator
from .spec import Part

Episode = tuple[Tensor, Tensor, Tensor, Tensor]  # support x, y; query x, y; classes are numbered 0..way-1


class Episodes:
    """Episodes of `way` classes with `shot` labelled and `query` asked samples each, `tasks` to a batch.

    A batch is (support x, support y, query x, query y), each with the episodes as its first dimension.
    Episode k of step s is a function of (seed, s, k).
    Raises DataError where the part has too few classes, or classes too few samples.
    """

    draws = False

    def __init__(
        self,
        part: Part,
        way: int,
        shot: int,
        query: int,
        seed: int,
        *,
        tasks: int = 1,
        steps_per_epoch: int = 100,
        device: Any = "cpu",
    ):
        assert part.y is not None
        self.x, self.way, self.shot, self.query = part.x.to(device), way, shot, query
        self.seed, self.tasks, self.device, self.steps_per_epoch = seed, tasks, device, steps_per_epoch
        labels = part.y.cpu()
        rows = [torch.nonzero(labels == c).flatten() for c in labels.unique()]
        self.classes = [r for r in rows if len(r) >= shot + query]
        if len(self.classes) < way:
            raise DataError(
                f"{way}-way episodes with {shot} + {query} samples need {way} classes of so many; "
                f"this part has {len(self.classes)} such classes of {len(rows)} "
                "(say split=classes to keep classes whole, or a smaller way or query)"
            )

    def rows(self, *key: object) -> Tensor:
        """The rows of one episode, (way, shot + query)."""
        draw = generator(self.seed, "episode", *key)
        chosen = torch.randperm(len(self.classes), generator=draw)[: self.way].tolist()
        count = self.shot + self.query
        picked = [self.classes[c] for c in chosen]
        return torch.stack([r[torch.randperm(len(r), generator=draw)[:count]] for r in picked])

    def batch(self, step: int, turn: int = 0, learner: Any = None) -> tuple[Tensor, ...]:
        """The episodes of a step."""
        return self.episodes([self.rows(step, k) for k in range(self.tasks)])

    def episodes(self, rows: list[Tensor]) -> Episode:
        """The samples of episodes' rows, support and query apart."""
        at = torch.stack(rows).to(self.device)  # (tasks, way, shot + query)
        x = self.x[at.flatten()].view(*at.shape, *self.x.shape[1:])
        y = torch.arange(self.way, device=self.device).view(1, -1, 1).expand(at.shape)
        parts = [values[:, :, cut].flatten(1, 2) for cut in self._cuts for values in (x, y)]
        return parts[0], parts[1], parts[2], parts[3]

    @property
    def _cuts(self) -> tuple[slice, slice]:
        return slice(0, self.shot), slice(self.shot, self.shot + self.query)

    def trials(self, count: int) -> Iterator[Episode]:
        """Single episodes to be scored on, the same for the same seed."""
        for k in range(count):
            yield self.episodes([self.rows("trial", k)])

    def state_dict(self) -> dict[str, Any]:
        """Nothing: (seed, step) tells everything."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to take back."""
