"""Choosing numerics: what there is to try for a loop, real steps of copies of it, what the recipe keeps."""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch.optim import LBFGS

from ...cards.card import Card
from ...data.resident import Resident, Shuffled
from ...engine.distribution import ALONE, Group
from ...engine.learner import Batch, Learner, Source
from ...engine.loop import Loop
from ...engine.numerics import EXACT, Numerics, has_bfloat16, has_tf32
from ...engine.record import Event, Record
from .build import make_optimizers, make_schedules
from .contest import CHECKED, LOOK, PROOF, SHARE, Contest, Grid, Losses, first_line
from .recipe import Recipe

PATIENCE = 30.0  # seconds that other processes of the run wait at most
COMPILE, PER_MODULE = 14.0, 0.1  # seconds that compiling a turn takes, before one was seen
TRIED, SHORT = "measured on this machine", "the run is too short to try others"


class Rehearsal:
    """Real steps of a loop that nobody keeps."""

    def __init__(self, loop: Loop, threads: int):
        self.loop, self.threads = loop, threads
        loop.learner.planned(loop.plan.steps, loop.source.steps_per_epoch)
        loop.learner.train()

    def run(self, count: int) -> float:
        """Make so many steps; the seconds that they took, until the device is done."""
        torch.set_num_threads(self.threads)
        self._wait()
        began = time.perf_counter()
        for _ in range(count):
            self.loop._one_step()
        self._wait()
        return time.perf_counter() - began

    @property
    def losses(self) -> Losses:
        """Each player's loss at each step."""
        noted = self.loop.meters.pending
        return {
            name: torch.stack(values[:CHECKED]).tolist()
            for name, values in noted.items()
            if name.rpartition(".")[2] == "loss"
        }

    def _wait(self) -> None:
        if self.loop.device.type == "cuda":
            torch.cuda.synchronize(self.loop.device)


class Again:
    """The first batches of a source, again and again, or one process's share of them: each is made once."""

    draws = False

    def __init__(self, source: Source, share: int = 1):
        self.source, self.share, self.steps_per_epoch = source, share, source.steps_per_epoch
        self._kept: dict[tuple[int, int], Batch] = {}

    def batch(self, step: int, turn: int, learner: Learner) -> Batch:
        """The batch of one of the first `PROOF` steps."""
        key = step % PROOF, turn
        if key not in self._kept:
            batch = self.source.batch(*key, learner)
            self._kept[key] = tuple(tensor.tensor_split(self.share)[0] for tensor in batch)
        return self._kept[key]

    def state_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to take back."""


def choose(
    loop: Loop,
    recipe: Recipe,
    card: Card,
    *,
    group: Group = ALONE,
    threads_free: bool = False,
    tell: Callable[[str], None] = lambda words: None,
) -> tuple[dict[str, Any], float]:
    """What `recipe.chosen` is to hold for a fresh loop in float32, and the seconds that it took to find out.

    The loop, threads and random state are afterwards what they were: copies of its learner are trained.
    """
    refused = _refused(loop, recipe)
    if refused:
        return _chosen(EXACT, refused), 0.0
    seconds = 60 * loop.plan.minutes if loop.plan.minutes else math.inf
    shared = group.size > 1 or not isinstance(loop.source, Resident)
    source = Again(loop.source, group.size) if shared else loop.source
    threads = torch.get_num_threads()

    def rehearse(numerics: Numerics) -> Rehearsal:
        copied = _copied(loop, recipe, card, source, numerics, group)
        return Rehearsal(copied, numerics.threads or threads)

    contest = Contest(rehearse, loop.plan.steps, seconds, tell)
    began = time.perf_counter()
    try:
        with torch.random.fork_rng([loop.device] if loop.device.type == "cuda" else []):
            won = contest.run(grid_of(loop, group, threads_free))
    except Exception as error:  # the run itself will tell
        return _chosen(EXACT, f"trying failed: {first_line(error)}"), 0.0
    finally:
        torch.set_num_threads(threads)
        if hasattr(loop.source, "close"):
            loop.source.close()
    spent = time.perf_counter() - began
    if contest.is_short:
        return _chosen(EXACT, SHORT), spent
    clock = {
        "seconds": round(spent, 2),
        "expected_seconds": round(contest.expected, 1),
        "times_as_fast": round(1 / won.ratio, 3),
        "loss_differs": float(f"{won.mean:.2g}"),
        "table": [each.row(contest.step) for each in contest.rows],
    }
    return _chosen(won.numerics, TRIED) | {"clock": clock}, spent


def _chosen(numerics: Numerics, because: str) -> dict[str, Any]:
    return {"numerics": numerics.as_dict(), "because": because}


def _refused(loop: Loop, recipe: Recipe) -> str:
    """Why nothing is tried; "" where it may be."""
    if loop.device.type not in ("cpu", "cuda"):
        return f"nothing else is known to learn the same on {loop.device.type}"
    if recipe.shard_model:
        return "each process holds its part of the weights alone"
    if any(isinstance(optimizer, LBFGS) for optimizer in loop.optimizers.values()):
        return "its optimizer searches along a line, which coarse losses mislead"
    if loop.plan.steps < LOOK / SHARE:
        return SHORT
    if loop.source.draws or loop.source.state_dict():
        return "its batches depend on what it did before"
    return ""


def grid_of(loop: Loop, group: Group = ALONE, threads_free: bool = False) -> Grid:
    """What there is to try for a loop on its device."""
    learner, device, source = loop.learner, loop.device, loop.source
    layouts = (True, False) if any(p.ndim == 4 for p in learner.parameters()) else (False,)
    precisions = [{"bfloat16": True}] * has_bfloat16(device) + [{"tf32": True}] * has_tf32(device) + [{}]
    alone = group.size == 1
    many = threads_free and alone and device.type == "cpu" and torch.get_num_threads() > 1
    eager = [
        Numerics(channels_last=layout, threads=threads, **precision)
        for threads in ((None, 1) if many else (None,))
        for precision in precisions
        for layout in layouts
    ]
    leaves = sum(not list(module.children()) for module in learner.modules())
    rest = source.rows % source.batch_size if isinstance(source, Shuffled) else 0
    return Grid(
        [numerics for numerics in eager if numerics != EXACT],
        unfused=any(o.defaults.get("fused") for o in loop.optimizers.values()),
        compiles=alone,
        compiling=len(learner.players) * (COMPILE + PER_MODULE * leaves),
        shapes=2 if rest else 1,
        most=math.inf if alone else PATIENCE,
    )


def _copied(loop: Loop, recipe: Recipe, card: Card, source: Source, numerics: Numerics, group: Group) -> Loop:
    """A loop like this one, of a copy of its learner."""
    learner = copy.deepcopy(loop.learner)
    numerics.place(learner)
    optimizers = make_optimizers(recipe, learner, card, numerics.fused)
    schedules = make_schedules(recipe, optimizers, loop.plan.steps, card)
    plan = replace(loop.plan, shards=max(1, loop.plan.shards // group.size))
    return Loop(learner, source, optimizers, plan, schedules=schedules, numerics=numerics)


def note_of(chosen: dict[str, Any] | None) -> str:
    """What the record and result of a run say of its numerics, whenever its recipe is run; "" of float32."""
    numerics = Numerics.of((chosen or {}).get("numerics", {}))
    return "" if numerics == EXACT else f"numerics: {numerics} ({TRIED})"


def record_choice(record: Record | None, note: str, event: Event) -> None:
    """A listener: at the start of a run its record says so."""
    if record and event.kind == "start" and event.step == 0:
        record.write({"kind": "note", "message": note})


def told(chosen: dict[str, Any]) -> str:
    """The choice in words; "" where nothing was tried."""
    clock, numerics = chosen.get("clock"), Numerics.of(chosen["numerics"])
    if not clock:
        return ""
    if numerics == EXACT:
        return f"numerics: float32 as it is; of {len(clock['table']) - 1} others none was faster and as good"
    how = f"{clock['times_as_fast']:.2g} times as fast as float32"
    return f"numerics: {numerics}, {how}; the loss differs by {abs(clock['loss_differs']):.2%}"
