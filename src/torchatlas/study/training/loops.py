"""The loop of a recipe: learner, source, optimizers, schedules and validation, at step 0."""

import dataclasses
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from ... import data as sources
from ...cards.card import Card
from ...data.spec import Part
from ...engine.checkpoint import Store
from ...engine.distribution import ALONE, Group, local_device, shard_model
from ...engine.environment import pick_device
from ...engine.errors import UsageError
from ...engine.learner import Learner, Source, mean_scores
from ...engine.loop import ENDLESS, Loop, Plan
from ...engine.numerics import EXACT, Numerics
from ...engine.randomness import reseed
from ...engine.record import Event, Listener, Record
from .build import build, make_optimizers, make_sampler, make_schedules
from .recipe import Recipe
from .regularizing import augmented
from .run import RECORD
from .starting import Start, take_up
from .trial import try_out


def make_loop(
    recipe: Recipe,
    prepared: sources.Prepared,
    card: Card,
    folder: Path | None,
    listeners: Sequence[Listener] = (),
    method: Any = None,
    *,
    group: Group = ALONE,
    numerics: Numerics = EXACT,
    start: Start | None = None,
) -> Loop:
    """The loop of a recipe, at step 0."""
    device = local_device(pick_device(recipe.device))
    reseed("cpu", recipe.seed, "init")
    learner = build(recipe, prepared.spec, method)
    words = take_up(start, learner, recipe, prepared.spec, method) if start else ""
    numerics.place(learner.to(device))
    source = _source(recipe, prepared, card, learner, device)
    steps = steps_of(recipe, source.steps_per_epoch)
    valid = prepared.valid.to(device) if prepared.valid is not None else None
    scored = valid is not None and bool(learner.monitor)
    mixed = partial(source.batch, 0, 0, learner) if recipe.augment else None
    try_out(learner, recipe, prepared.spec, prepared.train, valid if scored else None, mixed)
    if recipe.shard_model and group.size > 1:
        shard_model(learner, group)
    fused = False if recipe.shard_model else numerics.fused  # not every fused kernel knows sharded tensors
    optimizers = make_optimizers(recipe, learner, card, fused)
    schedules = make_schedules(recipe, optimizers, steps, card)
    if not scored and any(isinstance(schedule, ReduceLROnPlateau) for schedule in schedules.values()):
        raise UsageError("lr_plateau needs validation scores, and this run has none: choose another schedule")
    validate = None
    if valid is not None and scored:
        validate = partial(_validated, part=valid, seed=recipe.seed, group=group)
    record = Record(folder / RECORD) if folder else None
    tells = [partial(_told_at_start, words, record, tuple(listeners))] if words else []
    return Loop(
        learner,
        source,
        optimizers,
        plan(recipe, steps),
        schedules=schedules,
        validate=validate,
        listeners=[*listeners, *tells],
        store=Store(folder / "checkpoints") if folder else None,
        record=record,
        failures=folder / "failures" if folder else None,
        group=group,
        numerics=numerics,
    )


def _told_at_start(words: str, record: Record | None, listeners: Sequence[Listener], event: Event) -> None:
    """A listener: before step 1 the record and all others are told."""
    if (event.kind, event.step) == ("start", 0):
        if record:
            record.write({"kind": "note", "message": words})
        for listener in listeners:
            listener(Event("note", 0, 0.0, {"message": words}))


def _source(
    recipe: Recipe, prepared: sources.Prepared, card: Card, learner: Learner, device: torch.device
) -> Source:
    """The learner's own batches, or rows of the training part."""
    own = learner.source(prepared, recipe.batch_size, recipe.seed, device)
    sampler = make_sampler(recipe, card, prepared.train)
    if own and (sampler or recipe.augment):
        what = "sampler" if sampler else "augment"
        raise UsageError(f"{recipe.method} draws its own batches, so it takes no {what}: leave it out")
    source = own or sources.source_of(prepared.train, recipe.batch_size, recipe.seed, device, sampler)
    return augmented(recipe.augment, source, prepared.spec, recipe.seed, device)


def _validated(learner: Learner, part: Part, seed: int, group: Group) -> dict[str, float]:
    return mean_scores(learner, learner.trials(part, seed), (seed, "valid"), group)


def steps_of(recipe: Recipe, per_epoch: int) -> int:
    """How many steps a recipe's budget is; a budget of time has no end in steps."""
    if recipe.steps is not None:
        return recipe.steps
    return max(1, math.ceil(recipe.epochs * per_epoch)) if recipe.epochs is not None else ENDLESS


def plan(recipe: Recipe, steps: int) -> Plan:
    """What the loop obeys, from the recipe's fields of the same names."""
    shared = {f.name for f in dataclasses.fields(Plan)} - {"steps", "shards"}
    return Plan(steps=steps, shards=recipe.shards or 1, **{name: getattr(recipe, name) for name in shared})
