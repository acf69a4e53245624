"""The learner: what is trained, as a few players that take turns. The loop knows nothing else of a method."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .distribution import ALONE, Group, is_sharded
from .errors import ran_out
from .randomness import reseed

if TYPE_CHECKING:
    from ..data.prepared import Prepared
    from ..data.spec import Part, Spec

Batch = tuple[Tensor, ...]  # inputs first, then targets and sample weights where the data has them
TRIAL = 1024  # rows scored at a time
Loss = Tensor | tuple[Tensor, dict[str, Tensor]]  # a scalar mean over the batch, with named scalars to record


def told_apart(result: Loss) -> tuple[Tensor, dict[str, Tensor]]:
    """The scalar, and the named ones: none where the loss came alone."""
    return result if isinstance(result, tuple) else (result, {})


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
    cuttable: ClassVar[bool] = True  # whether a turn may see its batch in parts, one after another

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

    def indivisible(self) -> str:
        """Why the loss of a batch is not the mean of its parts' losses; "" where it is."""
        for name, module in self.named_modules():
            if getattr(module, "batch_statistics", isinstance(module, _BatchNorm)):
                return f"{name} ({type(module).__name__}) takes its statistics from the whole batch"
        return ""

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
        """The parameters that a player moves, each once; not those that a module says are frozen."""
        names = self.players[player]
        found = (p for name in names for p in self.get_submodule(name).parameters())
        keeping: Any = [module for module in self.modules() if hasattr(module, "frozen_parameters")]
        frozen = {p for module in keeping for p in module.frozen_parameters()}
        return [p for p in dict.fromkeys(found) if p not in frozen]


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
    if len(parts[0]):  # `split` is what decodes images of files ahead
        yield from zip(*(part.split(size) for part in parts), strict=True)


@torch.no_grad()
def mean_scores(
    learner: Learner, trials: Iterable[Batch], key: tuple[object, ...] = (), group: Group = ALONE
) -> dict[str, float]:
    """Each score's mean over the samples of all trials, each counted once; in evaluation mode.

    With a key, trial i meets the noise of (*key, i). The processes of a group take trials in turn.
    """
    learner.eval()
    device = next((p.device for p in learner.parameters()), torch.device("cpu"))
    wide = torch.float32 if device.type == "mps" else torch.double  # MPS has no doubles
    totals: dict[str, Tensor] = {}
    for i, batch in enumerate(_drawn(trials, device, key)):
        mine = i % group.size == group.rank
        if mine or is_sharded(learner) or not totals:  # names are the same everywhere; FSDP computes together
            for name, score in _scores(learner, batch).items():
                total = torch.stack([score.sum(dtype=wide), score.new_tensor(len(score), dtype=wide)])
                totals[name] = totals.get(name, torch.zeros_like(total)) + total * mine
    learner.train()
    group.add(list(totals.values()))
    return {name: float(total[0]) / float(total[1]) for name, total in totals.items()}


def _scores(learner: Learner, batch: Batch) -> dict[str, Tensor]:
    """The scores of a trial; of its halves, where there is no memory for rows of a part at once."""
    try:
        return learner.scores(batch)
    except (RuntimeError, MemoryError) as error:
        cut = type(learner).trials is Learner.trials and len(batch[0]) > 1
        if not ran_out(error) or not cut:
            raise
    halves = [_scores(learner, tuple(half)) for half in zip(*(tensor.tensor_split(2) for tensor in batch))]
    return {name: torch.cat([half[name] for half in halves]) for name in halves[0]}


def _drawn(trials: Iterable[Batch], device: torch.device, key: tuple[object, ...]) -> Iterator[Batch]:
    """The trials, each with the noise of its number."""
    each = iter(trials)
    for i in count():
        if key:
            reseed(device, *key, i)
        batch = next(each, None)
        if batch is None:
            return
        yield batch
