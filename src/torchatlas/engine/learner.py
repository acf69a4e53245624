"""The learner: what is trained, as a few players that take turns. The loop knows nothing else of a method."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from ..data.prepared import Prepared
    from ..data.spec import Part, Spec

Batch = tuple[Tensor, ...]  # inputs first, then targets and sample weights where the data has them
TRIAL = 1024  # rows scored at a time
Loss = Tensor | tuple[Tensor, dict[str, Tensor]]  # a scalar mean over the batch, with named scalars to record


class Learner(nn.Module):
    """What is trained: all its state is parameters and buffers; it knows no optimizer, device or rank.

    `players` names who owns which submodules ("" is everything); `turns(step)` says whose turns a step has.
    In a turn the other players are frozen and already updated.
    """

    players: ClassVar[Mapping[str, tuple[str, ...]]] = {"all": ("",)}
    scaling: ClassVar[str] = (
        "standard"  # what images it wants: "standard", "unit" (0..1), "symmetric" (-1..1)
    )
    needs_target: ClassVar[bool] = True
    monitor: ClassVar[str] = "loss"  # the score that chooses the best checkpoint; "" for none
    maximise: ClassVar[bool] = False  # whether more of it is better

    @classmethod
    def for_data(cls, spec: "Spec", *args: Any, **options: Any) -> Self:
        """The learner with its default parts for data of this spec."""
        raise NotImplementedError

    def planned(self, steps: int, steps_per_epoch: int) -> None:
        """Told the length of training before it begins or goes on; stages and ramps follow from it."""

    def source(self, data: "Prepared", batch_size: int, seed: int, device: Any) -> "Source | None":
        """Its own source of batches; None: rows of the training part in an order of (seed, epoch)."""
        return None

    def trials(self, part: "Part", seed: int) -> Iterator[Batch]:
        """The batches on which a validation or test part is scored; the same for the same seed."""
        return batches(part.tensors(), TRIAL)

    def turns(self, step: int) -> Sequence[str]:
        """The players whose turns step `step` has, in order."""
        return tuple(self.players)

    def loss(self, player: str, batch: Batch) -> Loss:
        """The player's loss: one scalar, the mean over the batch, with scalars to record if any."""
        raise NotImplementedError

    def updated(self, player: str, step: int) -> None:
        """After a player's step, without gradient: move target networks, codebooks, queues (all buffers)."""

    def share(self, batch: Batch) -> Tensor | float:
        """What a micro-batch weighs in the batch's mean: its rows, or the sum of their weights."""
        return float(len(batch[0]))

    def scores(self, batch: Batch) -> dict[str, Tensor]:
        """Per-sample scores for validation, each of shape (batch,); the mean over all samples is recorded."""
        return {}

    def predict(self, x: Tensor) -> Tensor:
        """Class probabilities, or values on the target's standardised scale."""
        raise NotImplementedError

    def sample(self, count: int) -> Tensor:
        """New data of the training data's shape and scaling."""
        raise NotImplementedError

    def owned(self, player: str) -> list[nn.Parameter]:
        """The parameters that a player moves, each once."""
        names = self.players[player]
        found = (p for name in names for p in self.get_submodule(name).parameters())
        return list(dict.fromkeys(found))


class Turn(nn.Module):
    """One player's whole loss as one forward: what DDP, FSDP2 and `torch.compile` wrap."""

    def __init__(self, learner: Learner, player: str):
        super().__init__()
        self.learner, self.player = learner, player

    def forward(self, batch: Batch) -> Loss:
        return self.learner.loss(self.player, batch)


class Source(Protocol):
    """Where batches come from. Order is a function of (seed, epoch), never of what ran before."""

    steps_per_epoch: int
    draws: bool  # whether `batch` draws from the default generators: then they are seeded before each call

    def batch(self, step: int, turn: int, learner: Learner) -> Batch:
        """The batch of one turn of one step."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """What (seed, step) does not determine: empty for fixed data, the replay buffer for agents."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take a state back."""
        ...


def batches(parts: Batch, size: int) -> Iterator[Batch]:
    """The parts in order, `size` rows at a time."""
    for start in range(0, len(parts[0]), size):
        yield tuple(part[start : start + size] for part in parts)


@torch.no_grad()
def mean_scores(learner: Learner, trials: Iterable[Batch]) -> dict[str, float]:
    """Each score's mean over the samples of all trials, each counted once; in evaluation mode."""
    learner.eval()
    totals: dict[str, Tensor] = {}
    counts: dict[str, int] = {}
    for batch in trials:
        for name, score in learner.scores(batch).items():
            wide = torch.float32 if score.device.type == "mps" else torch.double  # MPS has no doubles
            total = score.sum(dtype=wide)
            totals[name] = totals[name] + total if name in totals else total
            counts[name] = counts.get(name, 0) + len(score)
    learner.train()
    return {name: float(total) / counts[name] for name, total in totals.items()}
