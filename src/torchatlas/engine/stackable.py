"""What may be trained together: loops that differ in their seeds alone, of nets that vmap can stack."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, NAdam, RAdam, RMSprop, Rprop
from torch.optim.lr_scheduler import ReduceLROnPlateau

from .learner import Batch, Learner
from .loop import Loop
from .numerics import EXACT

ELEMENTWISE = (SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, NAdam, RAdam, RMSprop, Rprop)
SMALL = 1_000_000  # parameters: above, the arithmetic itself takes the time
WORTH = 1.0  # seconds of gradients in all runs together: below, trying would cost more than it could win


class Apart(Exception):
    """These loops are better trained one after another; the message says why."""


def refusal(loop: Loop) -> str:
    """Why a loop cannot be trained together with others; "" where nothing is known against it."""
    learner, plan, kind = loop.learner, loop.plan, type(loop.learner)
    optimizers, owned = list(loop.optimizers.values()), next(iter(loop.owned.values()))
    if len(optimizers) != 1 or kind.turns is not Learner.turns:
        return "it has several players"
    if kind.updated is not Learner.updated:
        return "it moves buffers after its steps"
    if len(optimizers[0].param_groups) > 1:
        return "its weights have rates of their own"
    moved = [list(map(id, group["params"])) for group in optimizers[0].param_groups]
    if type(optimizers[0]) not in ELEMENTWISE or moved != [list(map(id, owned))]:
        return f"{type(optimizers[0]).__name__} is not known to move each weight by itself"
    if any(isinstance(schedule, ReduceLROnPlateau) for schedule in loop.schedules.values()):
        return "its learning rate follows its own scores"
    if plan.minutes is not None:
        return "its budget is time"
    if plan.micro > 1 or plan.shards > 1 or loop.group.size > 1:
        return "its batches are cut"
    if replace(loop.gradient.numerics, threads=None, fused=None) != EXACT:
        return f"its numerics are {loop.gradient.numerics}"
    if loop.source.draws or loop.source.state_dict() or kind.source is not Learner.source:
        return "its batches are no function of the step alone"
    if sum(p.numel() for p in learner.parameters()) > SMALL:
        return "its net is not small"
    return ""


def unlike(loops: Sequence[Loop]) -> str:
    """In what the loops differ besides their seeds; "" where in nothing."""

    def shape(loop: Loop) -> Any:
        optimizer, learner = next(iter(loop.optimizers.values())), loop.learner
        named = [*learner.named_parameters(), *learner.named_buffers()]
        return {
            "method": type(learner),
            "plan": replace(loop.plan, seed=0),
            "step": loop.step,
            "epoch": loop.source.steps_per_epoch,
            "tensors": [(name, t.shape, t.dtype, t.device) for name, t in named],
            "optimizer": type(optimizer),
            "options": {k: v for k, v in optimizer.param_groups[0].items() if k != "params"},
            "schedule": [(type(s), s.state_dict()) for s in loop.schedules.values()],
        }

    for one, other in pairwise(map(shape, loops)):
        if different := [name for name in one if one[name] != other[name]]:
            return f"they differ in their {different[0]}"
    return ""


def worth_trying(loop: Loop, count: int) -> None:
    """Raise Apart where `count` loops like this one, trained together, cannot win much; leaves no trace."""
    if why := refusal(loop):
        raise Apart(why)
    loop.learner.planned(loop.plan.steps, loop.source.steps_per_epoch)
    loop.learner.train()
    batch = batch_of(loop)
    gradient_alone(loop, batch)  # the first call is slower
    seconds = min(seconds_of(loop, lambda: gradient_alone(loop, batch)) for _ in range(3))
    if seconds * count * (loop.plan.steps - loop.step) < WORTH:
        raise Apart("its training is short")


def batch_of(loop: Loop, ahead: int = 0) -> Batch:
    """The batch of the step that a loop is at, or of one ahead."""
    return loop.source.batch(loop.step + ahead, 0, loop.learner)


def gradient_alone(loop: Loop, batch: Batch) -> list[Tensor]:
    """The gradient of a loop by itself; the loop is afterwards what it was.

    Raises Apart where a weight has none (its optimizer would rest, and that of all would not) or where
    buffers move, which all would not do.
    """
    (player,) = loop.optimizers
    owned, safe = loop.owned[player], [buffer.clone() for buffer in loop.buffers]
    loop._focus(player)
    loop.gradient(player, owned, batch, (loop.plan.seed, loop.step, 0), safe)
    gradients = [p.grad for p in owned if p.grad is not None]
    for p in owned:
        p.grad = None
    still = [torch.equal(buffer, kept) for buffer, kept in zip(loop.buffers, safe)]
    for buffer, kept in zip(loop.buffers, safe):
        buffer.data.copy_(kept)
    if not all(still):
        raise Apart("its buffers move in a step")
    if len(gradients) < len(owned):
        raise Apart("some of its weights get no gradient")
    return gradients


def seconds_of(loop: Loop, work: Callable[[], object]) -> float:
    """The time that some work takes on a loop's device."""

    def settle() -> None:
        if loop.device.type == "cuda":
            torch.cuda.synchronize(loop.device)

    settle()
    began = time.perf_counter()
    work()
    settle()
    return time.perf_counter() - began
