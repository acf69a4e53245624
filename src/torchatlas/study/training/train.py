"""Training: from a method's name and data to a run in its folder."""

import dataclasses
import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch

from ... import data as sources
from ...cards.card import Card
from ...data.spec import Dataset
from ...engine import guard
from ...engine.checkpoint import make_folder, replace_durably, unwritable
from ...engine.distribution import (
    ALONE,
    Group,
    joined,
    restarted,
    whole,
    world_size,
)
from ...engine.environment import environment, pick_device, repeatable, versions
from ...engine.errors import AtlasError, Deserted, Interrupted, UsageError
from ...engine.learner import Learner
from ...engine.loop import ENDLESS, TIME_IS_UP, Loop
from ...engine.numerics import EXACT, Numerics
from ...engine.record import Event, Listener
from .build import (
    build,
    draws_its_own,
    is_classical,
    parameters_of,
    stretched,
)
from .choosing import choose, note_of, record_choice, told
from .classical import fit_classical, save_classical
from .inputs import data_name, dataset_stem, fingerprint, first_rows, prepare
from .loops import make_loop
from .recipe import RECIPE, Recipe, read_recipe, recipe_of
from .resolve import BUDGETS, DATA_OPTIONS, card_of, override, refuse_meaningless, resolve
from .run import ENVIRONMENT, RESULT, TEST, Run
from .scores import main_score
from .starting import Start, read_start
from .testing import finish


def train(
    method: Any,
    data: Any = "digits",
    *,
    out: str | Path | None = None,
    listeners: Sequence[Listener] = (),
    smoke: bool = False,
    **settings: Any,
) -> Run:
    """Train a method on data, and test it once at the end.

    method: a name of the catalog, "module:Thing", a class, or the path of a `run.yaml`. data: a set's name,
    `csv:PATH`, `folder:PATH` …, a DataFrame, a pair of arrays. out: the run's folder; a new one below `runs/`
    by default. settings: any field of the recipe (epochs, seed, lr, optimizer …), what the data needs said
    (target, task, group, time), or an option of the method. smoke: one batch of everything.
    listeners: called with each `engine.record.Event` as the run goes on.

    Raises AtlasError, in words: unknown names, data that cannot be learned from, a loss that is not finite.
    """
    own = {key: settings.pop(key) for key in DATA_OPTIONS if settings.get(key) is not None}
    with joined(_wished_device(settings)) as group:
        with group.in_turn():
            if isinstance(method, str) and method.endswith((".yaml", ".yml")):
                recipe = override(read_recipe(Path(method)), settings | own)
                recipe = recipe.model_copy(update={"data_fingerprint": None, "versions": {}})
                dataset = sources.open_dataset(recipe.data, **recipe.data_options)
                method = recipe.method
            else:
                refuse_meaningless([method], settings)
                dataset = data if isinstance(data, Dataset) else sources.open_dataset(data, **own)
                recipe = resolve(method, data_name(data, dataset), settings, own=own)
        folder = group.by_first(lambda: Path(out) if out else _fresh_folder(recipe))
        going_on = restarted() and (folder / RECIPE).exists()
        if going_on:
            recipe = recipe_of(folder)
        return run_recipe(
            recipe,
            dataset,
            folder,
            method=method,
            listeners=listeners,
            smoke=smoke,
            going_on=going_on,
            group=group,
        )


def _wished_device(settings: Mapping[str, Any]) -> torch.device:
    """Where processes will talk from; what is no device is told when the recipe is resolved."""
    return pick_device(settings.get("device") or "auto") if world_size() > 1 else torch.device("cpu")


def _fresh_folder(recipe: Recipe) -> Path:
    """A new one below `runs/`; for processes that were started again, the one they had made."""
    name = recipe.method.rpartition(":")[2].rpartition(".")[2]
    stem = f"{name}-{dataset_stem(recipe.data)}-seed{recipe.seed}"
    taken = (Path("runs") / (stem + (f"-{k}" if k else "")) for k in range(10**6))
    made = list(takewhile(Path.exists, taken))
    if restarted() and made:
        return made[-1]
    return Path("runs") / (stem + (f"-{len(made)}" if made else ""))


def resume(
    folder: str | Path,
    data: Any = None,
    *,
    method: Any = None,
    listeners: Sequence[Listener] = (),
    **more: Any,
) -> Run:
    """Go on with a run from its newest sound checkpoint, as if it had never stopped.

    data, method: needed again only where they were objects. more: a longer `epochs`, `steps` or `minutes`.
    Raises AtlasError where there is no run, or the data is not what it was.
    """
    folder = Path(folder)
    if not (folder / RECIPE).exists():
        raise AtlasError(f"{folder} is not a run to go on with: it has no {RECIPE}")
    recipe = recipe_of(folder)
    budget = {key: value for key, value in more.items() if value is not None}
    if set(budget) - BUDGETS:
        raise UsageError(
            "a resumed run keeps its recipe; only --epochs, --steps and --minutes can be said anew"
        )
    if budget:
        _refuse_stretched(recipe)
        recipe = override(recipe, budget)
    with joined(pick_device(recipe.device) if world_size() > 1 else torch.device("cpu")) as group:
        with group.in_turn():
            dataset = sources.open_dataset(recipe.data if data is None else data, **recipe.data_options)
        return run_recipe(
            recipe, dataset, folder, method=method, listeners=listeners, going_on=True, group=group
        )


def _refuse_stretched(recipe: Recipe) -> None:
    """A schedule that was stretched over the run cannot be stretched again in its midst."""
    card = card_of(recipe.method)
    text = card.name if card.kind == "schedule" else recipe.schedule
    if text is not None and stretched(text):
        raise UsageError(f"its schedule {text} ends with the run; a longer budget needs a new run")


def run_recipe(
    recipe: Recipe,
    dataset: Dataset,
    folder: Path | None,
    *,
    method: Any = None,
    listeners: Sequence[Listener] = (),
    smoke: bool = False,
    going_on: bool = False,
    group: Group = ALONE,
) -> Run:
    """Train by a recipe in a folder (None: nothing is kept on disk) and test once at the end.

    PyTorch's threads and the CPU's random state are afterwards what they were. Of a group of processes the
    first one alone writes, and tests.
    """
    threads = torch.get_num_threads()
    try:
        with torch.random.fork_rng(devices=[]), repeatable(pick_device(recipe.device)):
            torch.set_num_threads(recipe.threads or threads)
            return _train_and_test(recipe, dataset, folder, method, listeners, smoke, going_on, group)
    finally:
        torch.set_num_threads(threads)


def _train_and_test(
    recipe: Recipe,
    dataset: Dataset,
    folder: Path | None,
    method: Any,
    listeners: Sequence[Listener],
    smoke: bool,
    going_on: bool,
    group: Group,
) -> Run:
    card = card_of(recipe.method if method is None else method)
    method = None if isinstance(method, str) or card.kind != "own" else method
    start = None if is_classical(card) else read_start(recipe, folder, group)
    prepared = prepare(recipe, card, dataset, method)
    free = recipe.threads is None
    recipe = _complete(recipe, dataset, group, start)
    if smoke:
        recipe = recipe.model_copy(update={"steps": 1, "epochs": None, "minutes": None})
        if not draws_its_own(card, method):
            parts = {
                n: first_rows(getattr(prepared, n), recipe.batch_size) for n in ("train", "valid", "test")
            }
            prepared = dataclasses.replace(prepared, **parts)  # type: ignore[arg-type]
    main_score(prepared.spec, recipe.metric)  # a wrong metric fails now, not at the end
    if is_classical(card):
        return _fit(recipe, card, prepared, folder, going_on)
    recipe, loop = make_chosen(recipe, prepared, card, folder, listeners, method, group, free, start)
    del start  # its tensors would be held for as long as the run
    if folder is not None:  # all that is wrong is wrong before a folder is written to
        group.by_first(lambda: _open_folder(folder, recipe, prepared, going_on))
    try:
        set_back(loop, going_on)
        loop.run()
    except (Interrupted, Deserted) as error:
        where = f". Go on with: torchatlas train --resume {folder}" if folder else ""
        raise type(error)(f"{error}{where}") from None
    finally:
        if hasattr(loop.source, "close"):
            loop.source.close()
    facts = facts_of(loop)
    learner = _unsharded(loop, recipe, prepared, method)
    group.part()  # the test may take the first process long
    run = Run(recipe, learner, prepared.preparation, prepared.spec, folder)
    return finish(run, prepared, facts) if group.first else run


def _fit(recipe: Recipe, card: Card, prepared: sources.Prepared, folder: Path | None, again: bool) -> Run:
    """Fit a classical model."""
    began = time.monotonic()
    spec, options = prepared.spec, recipe.options
    fitted = fit_classical(card.name, spec, prepared.train, options, recipe.seed, prepared.unlabelled)
    facts: dict[str, Any] = {"steps": 0, "parameters": None, "seconds": time.monotonic() - began}
    if folder is not None:
        _open_folder(folder, recipe, prepared, again)
        save_classical(fitted, folder / "model")
    return finish(Run(recipe, fitted, prepared.preparation, prepared.spec, folder), prepared, facts)


def _unsharded(loop: Loop, recipe: Recipe, prepared: sources.Prepared, method: Any) -> Learner:
    """The trained learner, in one piece."""
    if not loop.gradient.sharded:
        return loop.learner
    state = whole(loop.learner.state_dict())
    learner = build(recipe, prepared.spec, method).to(loop.device)
    learner.load_state_dict(state)
    return learner


def set_back(loop: Loop, going_on: bool) -> None:
    """To the newest checkpoint of a run that goes on, else to its start."""
    if not (going_on and loop.resume()) and loop.record:
        loop.record.rewind()
    if loop.step > loop.plan.steps:
        raise UsageError(f"this run has {loop.step} steps already; it cannot be cut to {loop.plan.steps}")
    if loop.stopped == TIME_IS_UP and loop.clock.elapsed < 60 * (loop.plan.minutes or math.inf):
        loop.stopped = ""  # more time was given


def facts_of(loop: Loop) -> dict[str, Any]:
    """What the result says of a loop at its end, which gets its best weights back."""
    loop.restore_best()
    return {
        "steps": loop.step,
        "stopped": loop.stopped,
        "best_step": loop.best.get("step", loop.step),
        "parameters": parameters_of(loop.learner),
        "notes": [*filter(None, [loop.meters.diverged, _endless_schedule(loop)])],
        "seconds": loop.clock.elapsed,
    }


def _endless_schedule(loop: Loop) -> str:
    if not loop.schedules or loop.plan.steps < ENDLESS:
        return ""
    return "a budget of time has no last step, so the schedule stayed near its start; say --epochs or --steps"


def _complete(recipe: Recipe, dataset: Dataset, group: Group = ALONE, start: Start | None = None) -> Recipe:
    """With what was found out: it is written before step 1."""
    found = {
        "shards": recipe.shards or group.size,
        "device": str(pick_device(recipe.device)),
        "threads": recipe.threads or torch.get_num_threads(),
        "started": start.told(recipe, bool(len(dataset.test))) if start else recipe.started,
        "data_fingerprint": fingerprint(dataset),
        "versions": versions(),
    }
    return recipe.model_copy(update=found)


def _open_folder(folder: Path, recipe: Recipe, prepared: sources.Prepared, going_on: bool) -> None:
    try:
        if not going_on and (folder / RECIPE).exists():
            raise AtlasError(
                f"{folder} already holds a run; go on with it (torchatlas train --resume {folder}), "
                "or name another --out"
            )
        make_folder(folder)
        prepared.preparation.save(folder / "preparation")
        replace_durably(folder / ENVIRONMENT, json.dumps(environment(), indent=1).encode())
        replace_durably(folder / RECIPE, recipe.write().encode())
        for old in (RESULT, TEST):  # of a shorter run that goes on: it says nothing of this one
            (folder / old).unlink(missing_ok=True)
    except OSError as error:
        raise AtlasError(unwritable(folder, error)) from error


def make_chosen(
    recipe: Recipe,
    prepared: sources.Prepared,
    card: Card,
    folder: Path | None,
    listeners: Sequence[Listener],
    method: Any,
    group: Group,
    threads_free: bool = False,
    start: Start | None = None,
) -> tuple[Recipe, Loop]:
    """The loop with the numerics that the recipe says, or that are found best; and the recipe with them.

    threads_free: whether the number of threads is to be found too.
    """
    make = partial(make_loop, recipe, prepared, card, folder, listeners, method, group=group, start=start)
    if recipe.started:
        prepared.notes.append(recipe.started["note"])
    if recipe.numerics != "auto":
        return recipe.model_copy(update={"chosen": None}), make(numerics=Numerics.parse(recipe.numerics))
    begun = folder is not None and os.path.exists(folder / RECIPE)  # by a torchatlas that chose nothing

    def tell(words: str) -> None:
        for listener in listeners if group.first else ():
            listener(Event("note", 0, 0.0, {"message": words}))

    if recipe.chosen is None and not begun:
        loop = make()
        chosen, spent = group.by_first(
            lambda: choose(loop, recipe, card, group=group, threads_free=threads_free, tell=tell)
        )
        numerics = Numerics.of(chosen["numerics"])
        threads = numerics.threads or recipe.threads
        recipe = recipe.model_copy(update={"chosen": chosen, "threads": threads})
        if numerics != EXACT:
            del loop  # its data may lie on the device
            torch.set_num_threads(threads or torch.get_num_threads())
            loop = make(numerics=numerics)
        loop.clock.elapsed = spent
        if words := told(chosen):
            tell(words)
    else:
        loop = make(numerics=Numerics.of((recipe.chosen or {}).get("numerics", {})))
    if note := note_of(recipe.chosen):
        prepared.notes.append(note)
        loop.listeners.append(partial(record_choice, loop.record, note))
    return recipe, loop


def replay(folder: str | Path) -> tuple[str, str]:
    """Run the failed turn of `RUN/failures/step-N` again; the module at fault and what happened there."""
    folder = Path(folder)
    run = folder.parent.parent
    if not (run / RECIPE).exists():
        raise AtlasError(f"{folder} is not the failure of a run; give the folder that the failed run printed")
    recipe = recipe_of(run)
    spec = sources.Preparation.load(run / "preparation").spec
    return guard.replay(folder, build(recipe, spec))
