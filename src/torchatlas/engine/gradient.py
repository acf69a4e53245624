"""The gradient of a turn: its batch in shards and micro-batches, the same for any number of processes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .distribution import ALONE, Group, is_sharded
from .errors import OutOfMemory, UsageError, ran_out
from .graph import Graph, fits
from .learner import Batch, Learner, Loss, told_apart
from .numerics import EXACT, Numerics, compiled
from .randomness import reseed

Key = tuple[int, int, int]  # (seed, step, turn)


class Turn(nn.Module):
    """One player's whole loss as one forward: what autocast and `torch.compile` wrap."""

    def __init__(self, learner: Learner, player: str, numerics: Numerics = EXACT):
        super().__init__()
        self.learner, self.player, self.numerics = learner, player, numerics
        self.device = next((p.device for p in learner.parameters()), torch.device("cpu"))

    def forward(self, batch: Batch) -> Loss:
        if not self.numerics.bfloat16:
            return self.learner.loss(self.player, batch)
        with self.numerics.cast(self.device):
            result = self.learner.loss(self.player, batch)
        loss, logs = told_apart(result)
        return loss.float(), logs


@dataclass
class Found:
    """What a turn's forward and backward passes gave: means over the whole batch, and what processes ask."""

    loss: Tensor
    logs: dict[str, Tensor] = field(default_factory=dict)
    asks: list[float] = field(default_factory=list)


class Gradient:
    """Computes turns' gradients into `.grad`, summed over shards, micro-batches and processes.

    A batch is cut into `shards` (each with batch statistics and noise of its own; the buffers they leave are
    averaged), and each shard into `micro` parts, one after another. The noise of part i of turn k of a step
    comes from (seed, step, k, i, "noise"). Each process computes its own shards; one message adds gradients,
    losses and buffers. Where memory runs out on any process, all cut on twice as finely and try again, if the
    loss is a mean over samples; `micro` tells how finely by now.
    """

    def __init__(
        self,
        learner: Learner,
        *,
        shards: int = 1,
        micro: int = 1,
        group: Group = ALONE,
        numerics: Numerics = EXACT,
    ):
        self.learner, self.shards, self.micro, self.group = learner, shards, micro, group
        if shards * micro > 1 and not learner.cuttable:
            raise UsageError(f"{type(learner).__name__} takes its batches whole: leave out shards and micro")
        self.numerics, self.mine, self.asks = numerics, group.mine(shards), [0.0]
        self.sharded = is_sharded(learner)
        self.device = next((p.device for p in learner.parameters()), torch.device("cpu"))
        self.buffers = list(learner.buffers())
        self.turns = {player: self._turn(player) for player in learner.players}
        self.graphs: dict[
            str, Graph | None
        ] = {}  # of compiled turns; None where a turn does not fit into one

    def _turn(self, player: str) -> Callable[[Batch], Loss]:
        if not (self.numerics.bfloat16 or self.numerics.compiled):
            return lambda batch: self.learner.loss(player, batch)
        turn = Turn(self.learner, player, self.numerics)
        return compiled(turn) if self.numerics.compiled else turn

    def __call__(
        self, player: str, owned: Sequence[Tensor], batch: Batch, key: Key, before: list[Tensor]
    ) -> Found:
        """The gradient of the mean loss over the batch, into `owned`; `before` is what the buffers held.

        Raises OutOfMemory where the batch does not fit and may not be cut.
        """
        batch = self.numerics.laid(batch)
        while True:
            with self.numerics.precise(self.device):
                found = self._in_memory(player, owned, batch, key, before)
            if found is not None:
                return found
            self._cut_finer(batch, key[1])

    def parts(self, batch: Batch, shards: range) -> Iterator[tuple[int, Batch, Tensor | float]]:
        """The parts of some shards: each with its number and its share in the batch's mean.

        A shard that is left without rows lends those of the first one and counts nothing: all processes
        compute alike.
        """
        if self.whole:
            yield 0, batch, 1.0
            return
        whole = self.learner.share(batch)
        for s in shards:
            shard = _piece(batch, self.shards, s)
            count = len(shard[0])
            shard = shard if count else _piece(batch, self.shards, 0)
            for m in range(self.micro):
                part = _piece(shard, self.micro, m)
                if not len(part[0]):
                    continue
                share = self.learner.share(part) / whole if count else 0.0
                yield s * self.micro + m, part, share

    def _in_memory(
        self, player: str, owned: Sequence[Tensor], batch: Batch, key: Key, before: list[Tensor]
    ) -> Found | None:
        """The gradient; None where memory ran out on some process."""
        for parameter in owned:
            parameter.grad = None
        moved = _Moved(self.buffers, before) if self.shards > 1 else None
        found: Found | None = None
        try:
            found = self._at_once(player, batch, key) if self.whole else self._here(player, batch, key, moved)
        except (RuntimeError, MemoryError) as error:
            if not ran_out(error):
                raise
            if self.sharded:  # the others wait for this process's part: it cannot begin anew
                raise OutOfMemory(
                    f"step {key[1]}: there is not enough memory for a batch of {len(batch[0])}, and with "
                    "shard_model it is not cut on the way. Say micro=2 or a smaller batch_size"
                ) from error
        if found is None:  # out of the handler: its traceback held the graph
            for buffer, kept in zip(self.buffers, before):
                buffer.data.copy_(kept)
        if self.group.size > 1:
            found = self._together(owned, found, moved)
        elif found is not None:
            found.asks = self.asks
        if found is not None and moved is not None:
            moved.settle()
        return found

    @property
    def whole(self) -> bool:
        """Whether batches are not cut at all."""
        return self.shards == self.micro == 1

    def _at_once(self, player: str, batch: Batch, key: Key) -> Found:
        """The usual case, without the bookkeeping of parts."""
        if self.numerics.compiled and (graph := self._graph(player, batch, key)):
            reseed(self.device, *key, 0, "noise")
            return Found(*graph(batch))
        reseed(self.device, *key, 0, "noise")
        result = self.turns[player](batch)
        loss, logs = told_apart(result)
        loss.backward()
        return Found(loss.detach(), {name: log.detach() for name, log in logs.items()})

    def _graph(self, player: str, batch: Batch, key: Key) -> Graph | None:
        """The graph of a player's turn, compiled when it is first asked for; None where there can be none."""
        if player not in self.graphs:
            owned = self.learner.owned(player)
            reseed(self.device, *key, 0, "noise")
            graph = None
            if fits(lambda: self.learner.loss(player, batch), owned, self.buffers):
                graph = Graph(Turn(self.learner, player, self.numerics), owned)
                try:
                    graph(batch)
                except Exception as error:  # what the compiler does not know is left to autograd
                    if ran_out(error):
                        raise
                    graph = None
            self.graphs[player] = graph
        return self.graphs[player]

    def _here(self, player: str, batch: Batch, key: Key, moved: "_Moved | None") -> Found:
        """The sum over this process's parts."""
        total: Tensor | None = None
        told: dict[str, Tensor] = {}
        turn, parts, shard = self.turns[player], list(self.parts(batch, self.mine)), -1
        for n, (i, part, share) in enumerate(parts):
            if moved and i // self.micro != shard:
                shard = i // self.micro
                moved.back()
            self._sync(n == len(parts) - 1)
            reseed(self.device, *key, i, "noise")
            result = turn(part)
            loss, logs = told_apart(result)
            if len(parts) > 1 or self.group.size > 1:
                loss, logs = loss * share, {name: log * share for name, log in logs.items()}
            for name, log in logs.items():
                told[name] = told[name] + log.detach() if name in told else log.detach()
            (loss * self.group.size if self.sharded else loss).backward()  # FSDP takes the processes' mean
            total = loss.detach() if total is None else total + loss.detach()
            if moved and (n + 1 == len(parts) or parts[n + 1][0] // self.micro != shard):
                moved.note(share)
        assert total is not None
        return Found(total, told)

    def _sync(self, last: bool) -> None:
        if self.sharded:
            self.learner.set_requires_gradient_sync(last)  # type: ignore[operator]

    def _together(self, owned: Sequence[Tensor], found: Found | None, moved: "_Moved | None") -> Found | None:
        """The sum over processes; None where memory ran out on any of them."""
        gradients = [] if self.sharded else [p.grad for p in owned if p.grad is not None]
        if self.anywhere(found is None) or found is None:
            return None
        asks = torch.tensor(self.asks, device=self.device)
        sums = moved.sums if moved else []
        self.group.add([*gradients, *sums, found.loss, *found.logs.values(), asks])
        found.asks = asks.tolist()
        return found

    def anywhere(self, here: bool) -> bool:
        """Whether it is so on any process."""
        flag = torch.tensor([float(here)], device=self.device)
        self.group.add([flag])
        return bool(flag.item())

    def _cut_finer(self, batch: Batch, step: int) -> None:
        """Twice as many micro-batches from now on; refused where that would change what is learned."""
        rows = len(batch[0])
        why = self.learner.indivisible()
        if why:
            raise OutOfMemory(
                f"step {step}: there is not enough memory for a batch of {rows}, and it cannot be cut, as "
                f"{why}. Say a smaller batch_size, or micro=2 to take that change"
            )
        if self.micro * self.shards >= rows:
            raise OutOfMemory(f"step {step}: there is not enough memory for a single row of this batch")
        self.micro *= 2


def calls_often(optimizer: Optimizer) -> bool:
    """Whether `step` may call its closure when weights have moved already (L-BFGS, SAM and their like).

    Of PyTorch's optimizers L-BFGS alone does; another one may, unless its `calls_once` says that it does not.
    """
    theirs = type(optimizer).__module__.startswith("torch.optim.")
    once = getattr(optimizer, "calls_once", theirs)
    return not once or isinstance(optimizer, torch.optim.LBFGS)


def _piece(batch: Batch, pieces: int, number: int) -> Batch:
    return tuple(tensor.tensor_split(pieces)[number] for tensor in batch) if pieces > 1 else batch


class _Moved:
    """What shards did to the buffers: each starts from the same, and their mean change is kept."""

    def __init__(self, buffers: list[Tensor], before: list[Tensor]):
        self.buffers, self.before = buffers, before
        self.floats = [b for b in buffers if b.is_floating_point()]
        self.sums = [torch.zeros_like(b) for b in self.floats]
        self.count = torch.zeros((), device=buffers[0].device if buffers else None)
        self.sums.append(self.count)

    def back(self) -> None:
        """To where the turn began."""
        for buffer, kept in zip(self.buffers, self.before):
            buffer.data.copy_(kept)

    def note(self, share: Tensor | float) -> None:
        """Take up what a shard left, unless it was empty."""
        if isinstance(share, float) and share == 0:
            return
        kept = [b for b in self.before if b.is_floating_point()]
        for total, buffer, old in zip(self.sums, self.floats, kept):
            total += buffer.detach() - old
        self.count += 1

    def settle(self) -> None:
        """Whole numbers stay as the last shard left them; others move by the mean."""
        kept = [b for b in self.before if b.is_floating_point()]
        for total, buffer, old in zip(self.sums, self.floats, kept):
            buffer.data.copy_(old + total / self.count)
