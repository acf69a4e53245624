"""Training: from a method's name and data to a run in its folder."""

import dataclasses
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from ... import data as sources
from ...cards.card import Card
from ...data.spec import Dataset
from ...engine import guard
from ...engine.checkpoint import Store, replace_durably, unwritable
from ...engine.environment import environment, pick_device, versions
from ...engine.errors import AtlasError, Interrupted, UsageError
from ...engine.learner import mean_scores
from ...engine.loop import ENDLESS, TIME_IS_UP, Loop, Plan
from ...engine.randomness import reseed
from ...engine.record import Listener, Record
from .build import (
    build,
    draws_its_own,
    is_classical,
    make_optimizers,
    make_sampler,
    make_schedules,
    parameters_of,
    stretched,
)
from .classical import fit_classical, save_classical
from .inputs import data_name, dataset_stem, fingerprint, first_rows, prepare
from .recipe import Recipe, read_recipe
from .resolve import BUDGETS, DATA_OPTIONS, card_of, override, refuse_meaningless, resolve
from .run import ENVIRONMENT, RECIPE, RECORD, RESULT, TEST, Run
from .scores import main_score
from .testing import finish
from .trial import try_out


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
    if isinstance(method, str) and method.endswith((".yaml", ".yml")):
        recipe = override(read_recipe(Path(method)), settings | own)
        recipe = recipe.model_copy(update={"data_fingerprint": None, "versions": {}})
        dataset = sources.open_dataset(recipe.data, **recipe.data_options)
        method = recipe.method
    else:
        refuse_meaningless([method], settings)
        dataset = data if isinstance(data, Dataset) else sources.open_dataset(data, **own)
        recipe = resolve(method, data_name(data, dataset), settings, own=own)
    folder = Path(out) if out else _fresh_folder(recipe)
    return run_recipe(recipe, dataset, folder, method=method, listeners=listeners, smoke=smoke)


def _fresh_folder(recipe: Recipe) -> Path:
    name = recipe.method.rpartition(":")[2].rpartition(".")[2]
    stem = f"{name}-{dataset_stem(recipe.data)}-seed{recipe.seed}"
    taken = (Path("runs") / (stem + (f"-{k}" if k else "")) for k in range(10**6))
    return next(path for path in taken if not path.exists())


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
    recipe = read_recipe(folder / RECIPE)
    budget = {key: value for key, value in more.items() if value is not None}
    if set(budget) - BUDGETS:
        raise UsageError(
            "a resumed run keeps its recipe; only --epochs, --steps and --minutes can be said anew"
        )
    if budget:
        _refuse_stretched(recipe)
        recipe = override(recipe, budget)
    dataset = sources.open_dataset(recipe.data if data is None else data, **recipe.data_options)
    return run_recipe(recipe, dataset, folder, method=method, listeners=listeners, going_on=True)


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
) -> Run:
    """Train by a recipe in a folder (None: nothing is kept on disk) and test once at the end.

    PyTorch's threads and the CPU's random state are afterwards what they were.
    """
    threads = torch.get_num_threads()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.set_num_threads(recipe.threads or threads)
            return _train_and_test(recipe, dataset, folder, method, listeners, smoke, going_on)
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
) -> Run:
    card = card_of(recipe.method if method is None else method)
    method = None if isinstance(method, str) or card.kind != "own" else method
    prepared = prepare(recipe, card, dataset, method)
    recipe = _complete(recipe, fingerprint(dataset))
    if smoke:
        recipe = recipe.model_copy(update={"steps": 1, "epochs": None, "minutes": None})
        if not draws_its_own(card, method):
            parts = {
                n: first_rows(getattr(prepared, n), recipe.batch_size) for n in ("train", "valid", "test")
            }
            prepared = dataclasses.replace(prepared, **parts)  # type: ignore[arg-type]
    main_score(prepared.spec, recipe.metric)  # a wrong metric fails now, not at the end
    if is_classical(card):
        began = time.monotonic()
        spec, options = prepared.spec, recipe.options
        fitted = fit_classical(card.name, spec, prepared.train, options, recipe.seed, prepared.unlabelled)
        facts: dict[str, Any] = {"steps": 0, "parameters": None, "seconds": time.monotonic() - began}
        if folder is not None:
            _open_folder(folder, recipe, prepared, going_on)
            save_classical(fitted, folder / "model")
        return finish(Run(recipe, fitted, prepared.preparation, prepared.spec, folder), prepared, facts)
    loop = make_loop(recipe, prepared, card, folder, listeners, method)  # all that is wrong is wrong before
    if folder is not None:  # a folder is written to
        _open_folder(folder, recipe, prepared, going_on)
        for old in (RESULT, TEST):  # of a shorter run that goes on: it says nothing of this one
            (folder / old).unlink(missing_ok=True)
    try:
        facts = _run(loop, going_on)
    except Interrupted as error:
        where = f". Go on with: torchatlas train --resume {folder}" if folder else ""
        raise Interrupted(f"{error}{where}") from None
    return finish(Run(recipe, loop.learner, prepared.preparation, prepared.spec, folder), prepared, facts)


def _run(loop: Loop, going_on: bool) -> dict[str, Any]:
    """Run the loop from where it is to its end; what the result says of it."""
    if not (going_on and loop.resume()) and loop.record:
        loop.record.rewind()
    if loop.step > loop.plan.steps:
        raise UsageError(f"this run has {loop.step} steps already; it cannot be cut to {loop.plan.steps}")
    if loop.stopped == TIME_IS_UP and loop.elapsed < 60 * (loop.plan.minutes or math.inf):
        loop.stopped = ""  # more time was given
    loop.run()
    loop.restore_best()
    return {
        "steps": loop.step,
        "stopped": loop.stopped,
        "best_step": loop.best.get("step", loop.step),
        "parameters": parameters_of(loop.learner),
        "notes": [*filter(None, [loop.diverged, _endless_schedule(loop)])],
        "seconds": loop.elapsed,
    }


def _endless_schedule(loop: Loop) -> str:
    if not loop.schedules or loop.plan.steps < ENDLESS:
        return ""
    return "a budget of time has no last step, so the schedule stayed near its start; say --epochs or --steps"


def _complete(recipe: Recipe, data_fingerprint: str) -> Recipe:
    """With what was found out: it is written before step 1."""
    found = {
        "device": str(pick_device(recipe.device)),
        "threads": recipe.threads or torch.get_num_threads(),
        "data_fingerprint": data_fingerprint,
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
        folder.mkdir(parents=True, exist_ok=True)
        prepared.preparation.save(folder / "preparation")
        replace_durably(folder / ENVIRONMENT, json.dumps(environment(), indent=1).encode())
        replace_durably(folder / RECIPE, recipe.write().encode())
    except OSError as error:
        raise AtlasError(unwritable(folder, error)) from error


def make_loop(
    recipe: Recipe,
    prepared: sources.Prepared,
    card: Card,
    folder: Path | None,
    listeners: Sequence[Listener] = (),
    method: Any = None,
) -> Loop:
    """The loop of a recipe, at step 0."""
    device = pick_device(recipe.device)
    reseed("cpu", recipe.seed, "init")
    learner = build(recipe, prepared.spec, method).to(device)
    own = learner.source(prepared, recipe.batch_size, recipe.seed, device)
    sampler = make_sampler(recipe, card, prepared.train)
    if own and sampler:
        raise UsageError(f"{recipe.method} draws its own batches, so it takes no sampler: leave it out")
    source = own or sources.Resident(prepared.train, recipe.batch_size, recipe.seed, device, sampler)
    steps = steps_of(recipe, source.steps_per_epoch)
    optimizers = make_optimizers(recipe, learner, card)
    valid = prepared.valid.to(device) if prepared.valid is not None else None
    scored = valid is not None and bool(learner.monitor)
    schedules = make_schedules(recipe, optimizers, steps, card)
    if not scored and any(isinstance(schedule, ReduceLROnPlateau) for schedule in schedules.values()):
        raise UsageError("lr_plateau needs validation scores, and this run has none: choose another schedule")
    try_out(learner, recipe, prepared.spec, prepared.train, valid if scored else None)
    return Loop(
        learner,
        source,
        optimizers,
        plan(recipe, steps),
        schedules=schedules,
        validate=(lambda kept: mean_scores(kept, kept.trials(valid, recipe.seed)))
        if valid is not None and scored
        else None,
        listeners=listeners,
        store=Store(folder / "checkpoints") if folder else None,
        record=Record(folder / RECORD) if folder else None,
        failures=folder / "failures" if folder else None,
    )


def steps_of(recipe: Recipe, per_epoch: int) -> int:
    """How many steps a recipe's budget is; a budget of time has no end in steps."""
    if recipe.steps is not None:
        return recipe.steps
    return max(1, math.ceil(recipe.epochs * per_epoch)) if recipe.epochs is not None else ENDLESS


def plan(recipe: Recipe, steps: int) -> Plan:
    """What the loop obeys, from the recipe's fields of the same names."""
    shared = {f.name for f in dataclasses.fields(Plan)} - {"steps"}
    return Plan(steps=steps, **{name: getattr(recipe, name) for name in shared})


def replay(folder: str | Path) -> tuple[str, str]:
    """Run the failed turn of `RUN/failures/step-N` again; the module at fault and what happened there."""
    folder = Path(folder)
    run = folder.parent.parent
    if not (run / RECIPE).exists():
        raise AtlasError(f"{folder} is not the failure of a run; give the folder that the failed run printed")
    recipe = read_recipe(run / RECIPE)
    spec = sources.Preparation.load(run / "preparation").spec
    return guard.replay(folder, build(recipe, spec))
