"""The seeds of one method trained together, where that was measured to be faster; the others one by one.

Each run of a bundle has its own folder, split, noise, record and checkpoints, as if it had been alone; its
numbers are those of the run alone up to rounding. What cannot be trained together, or wins nothing by it, is
trained one by one, and so is a bundle that was killed with its runs at different steps.
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch

from ... import data as sources
from ...engine.distribution import ALONE
from ...engine.errors import Interrupted
from ...engine.loop import Loop
from ...engine.stackable import Apart, worth_trying
from ...engine.stacked import Stack
from ..training.build import draws_its_own, is_classical
from ..training.inputs import prepare
from ..training.recipe import Recipe
from ..training.resolve import card_of
from ..training.run import RECIPE, Run
from ..training.scores import main_score
from ..training.starting import read_start
from ..training.testing import finish
from ..training.train import _complete, _open_folder, facts_of, make_chosen, set_back
from .jobs import (
    STOPPED,
    Done,
    Job,
    _alone,
    _in_processes,
    dataset_of,
    failed,
    in_workers,
    is_stopped,
    missing_of,
    recipe_of,
    run_job,
)

FEW = 100  # steps: of so few, nothing is won
LARGEST = 2**30  # bytes that the data of one bundle may take


def run_seeds(jobs: list[Job], workers: int) -> Iterator[Done]:
    """Each job as it ends: bundles of seeds first, then what they left (`run_all`'s `elsewhere`)."""
    ended = set()
    for found in _in_turn(bundled(jobs, workers), workers):
        for done in found:
            ended.add(done.folder)
            yield done
        if any(done.error == STOPPED for done in found):
            return
    left = [job for job in jobs if job.folder not in ended]
    yield from map(run_job, left) if workers == 1 or len(left) < 2 else _in_processes(left, workers)


def bundled(jobs: Sequence[Job], workers: int) -> list[list[Job]]:
    """The jobs in bundles of one method's seeds, about two for each worker; what goes alone comes last."""
    methods: dict[str, list[Job]] = {}
    for job in jobs:
        methods.setdefault(job.entry.label, []).append(job)
    fit = [methods.pop(name) for name, seeds in [*methods.items()] if len(seeds) > 1 and _may(seeds[0])]
    rest = [[job] for seeds in methods.values() for job in seeds]
    wanted = math.ceil(2 * workers / len(fit)) if fit else 1
    return [part for seeds in fit for part in _cut(seeds, min(wanted, workers, len(seeds) // 2))] + rest


def _cut(seeds: list[Job], pieces: int) -> list[list[Job]]:
    return [seeds[k::pieces] for k in range(pieces)]


def _may(job: Job) -> bool:
    """Whether nothing is known against it before its data is prepared."""
    steps, minutes = (job.entry.settings.get(word) for word in ("steps", "minutes"))
    if job.entry.baseline or minutes or (steps is not None and steps < FEW):
        return False
    card = card_of(job.entry.method)
    return not (is_classical(card) or draws_its_own(card, job.entry.method))


def _in_turn(bundles: list[list[Job]], workers: int) -> Iterator[list[Done]]:
    if all(len(bundle) == 1 for bundle in bundles):
        return
    if workers == 1:
        yield from (run_bundle(bundle) for bundle in bundles if len(bundle) > 1)
        return
    yield from in_workers(workers, _quietly, bundles)


def _quietly(bundle: list[Job]) -> list[Done]:
    """In a worker process: warnings are handed to the process that shows them, with the first run."""
    with warnings.catch_warnings(record=True) as caught:
        done = run_bundle(bundle) if len(bundle) > 1 else [run_job(bundle[0])]
    told = tuple(dict.fromkeys(str(each.message) for each in caught))
    return [replace(first, warnings=told if k == 0 else ()) for k, first in enumerate(done)]


@dataclass
class _Ready:
    """A run that is about to begin, or to go on."""

    job: Job
    recipe: Recipe
    prepared: sources.Prepared
    loop: Loop


def run_bundle(jobs: Sequence[Job]) -> list[Done]:
    """Train jobs of one method together; how each ended. None of them where they are better trained apart."""
    if is_stopped(jobs[0]):
        return [failed(job, Interrupted()) for job in jobs]
    with ExitStack() as held, _as_before():
        for job in jobs:
            held.enter_context(_alone(job.folder, lambda: None))
        try:
            ready = _made(missing_of(list(jobs)))
            stack = Stack([each.loop for each in ready])
            times = stack.measured()
            stack.run()
        except Exception:  # alone, each goes on from its folder, and says what it is
            return []
        return [_ended(each, stack, times) for each in ready]


@contextmanager
def _as_before() -> Iterator[None]:
    """Threads and the CPU's random state are afterwards what they were."""
    threads = torch.get_num_threads()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(threads)


def _made(jobs: list[Job]) -> list[_Ready]:
    """All that are to be trained together, each where it left off. Raises Apart where they are not."""
    if len(jobs) < 2:
        raise Apart("there is one alone")
    first = _make(jobs[0])
    rows = [
        part for name in ("train", "valid", "test") if (part := getattr(first.prepared, name)) is not None
    ]
    if len(jobs) * sum(t.nbytes for part in rows for t in part.tensors()) > LARGEST:
        raise Apart("their data is large")
    worth_trying(first.loop, len(jobs))
    ready = [first, *map(_make, jobs[1:])]
    for each in ready:
        folder = each.job.folder
        going_on = (folder / RECIPE).exists()
        _open_folder(folder, each.recipe, each.prepared, going_on)
        set_back(each.loop, going_on)
        if each.loop.done:
            raise Apart("some are at their end")
    return ready


def _make(job: Job) -> _Ready:
    dataset, method = dataset_of(job), job.entry.method
    recipe = recipe_of(job, dataset)
    torch.set_num_threads(recipe.threads or torch.get_num_threads())
    card = card_of(method)
    own = None if isinstance(method, str) or card.kind != "own" else method
    start = read_start(recipe, job.folder)
    prepared = prepare(recipe, card, dataset, own)
    recipe = _complete(recipe, dataset, start=start)
    main_score(prepared.spec, recipe.metric)
    recipe, loop = make_chosen(recipe, prepared, card, job.folder, (), own, ALONE, start=start)
    return _Ready(job, recipe, prepared, loop)


def _ended(ready: _Ready, stack: Stack, times: float) -> Done:
    job, prepared, count = ready.job, ready.prepared, len(stack.loops)
    error = stack.failed.get(ready.loop)
    if error is None:
        facts: dict[str, Any] = facts_of(ready.loop)
        facts["seconds"] /= count  # its share
        facts["notes"].append(f"{job.entry.label}: {count} seeds were trained together")
        facts["clock"] = {"together": count, "times_as_fast": round(times, 2)}
        run = Run(ready.recipe, ready.loop.learner, prepared.preparation, prepared.spec, job.folder)
        try:
            finish(run, prepared, facts)
        except Exception as raised:
            error = raised
    return failed(job, error) if error else Done(job.entry.label, job.seed, job.folder)
