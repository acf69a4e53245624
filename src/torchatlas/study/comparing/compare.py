"""Comparing methods: the same budget for each, over seeds, to a verdict, a table and a report."""

import hashlib
import inspect
import json
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from ... import data as sources
from ...cards.reader import get
from ...data.spec import Dataset
from ...engine.checkpoint import replace_durably, unwritable
from ...engine.distribution import world_size
from ...engine.environment import versions
from ...engine.errors import AtlasError, Interrupted, UsageError
from ..training.build import is_classical, learns_from_target
from ..training.inputs import data_name, dataset_stem, fingerprint
from ..training.recipe import Recipe
from ..training.resolve import DATA_OPTIONS, card_of, resolve
from ..training.starting import known
from .alone import LOCK, alone_in
from .asked import asked_methods, asked_seeds, asked_values, check_recipes, check_words
from .baselines import baseline_names, shared_settings
from .bundles import run_seeds
from .cluster import connected, run_on_cluster
from .entries import make_entries
from .jobs import (
    STOPPED,
    Done,
    Entry,
    Forwarding,
    Job,
    missing_of,
    reasons,
    run_all,
    stop_mark,
    threads_for,
    workers_for,
)
from .live import Show
from .summary import Comparison, summarize

STUDY = "study.yaml"
WHOLE = {"methods", "data", "data_options", "seeds", "data_given", "data_fingerprint", "versions"}
NOT_ASKED = {"format", "method", "data", "data_options", "seed", "threads", "versions"}


def compare(
    methods: Sequence[Any] | Any,
    data: Any = "digits",
    *,
    vary: Mapping[str, Sequence[Any]] | None = None,
    seeds: int | Sequence[int] = 5,
    metric: str | None = None,
    jobs: int | None = None,
    cluster: str | None = None,
    together: bool = True,
    out: str | Path | None = None,
    fresh: bool = False,
    show: str = "auto",
    **settings: Any,
) -> Comparison:
    """Compare methods on data under one budget: which is best, by how much, at what cost.

    methods: names, "module:Thing", or your own nn.Module classes. vary: option -> values; each method is run
    with each. seeds: how many (0, 1, …), or which; each redraws the split unless the data has a test part.
    settings: as for `train`; an option that only some methods have goes to those. jobs: runs at a time.
    cluster: the address of a Dask scheduler, whose workers do the runs, each with all of its threads; they
    must see the study's folder, and what the data's words name, under the same paths.
    together: train the seeds of a small net together where that is measured to be faster; it rounds
    otherwise, and without it every run is equal to `train`'s bit for bit.
    out: the study's folder; runs found there are kept (fresh=True begins anew). show: "auto" (a live table
    on a terminal, else lines), "json" or "none".

    Returns a Comparison: `.table`, `.verdict`, `.sentence`, `.figures`, `.report`. A run that fails is
    reported and the others go on. Raises AtlasError for wrong words and where no run succeeds.
    """
    if world_size() > 1:
        raise UsageError("compare starts its own processes: run it without torchrun (--jobs, --cluster)")
    methods, varied, chosen = asked_methods(methods), asked_values(vary), asked_seeds(seeds)
    check_words(settings, varied, jobs, show)
    own = {key: settings.pop(key) for key in DATA_OPTIONS if settings.get(key) is not None}
    dataset = data if isinstance(data, Dataset) else sources.open_dataset(data, **own)
    name = data_name(data, dataset)
    entries = make_entries(methods, varied, settings | ({"metric": metric} if metric else {}))
    recipes = [resolve(entry.method, name, entry.settings, own=own) for entry in entries]
    recipes = [
        recipe if is_classical(card_of(entry.method)) else known(recipe)
        for entry, recipe in zip(entries, recipes, strict=True)
    ]
    check_recipes([entry.method for entry in entries], recipes, dataset)
    question = _question(entries, recipes, name, own, chosen) | {
        "data_given": "words" if isinstance(data, str) else "object",
        "data_fingerprint": fingerprint(dataset),
    }
    folder = Path(out) if out else Path("studies") / _folder_name(entries, name, question)
    _refuse_foreign(folder)
    with connected(cluster) as client, alone_in(folder):
        _open_study(folder, question, fresh)
        source = name if isinstance(data, str) else dataset
        todo = list(_jobs(entries, recipes, dataset, source, own, chosen, folder))
        if client is None:
            workers = workers_for(jobs, len(todo))
            todo = [replace(job, threads=threads_for(workers)) for job in todo]
            done = _watched(todo, workers, show, partial(run_seeds, workers=workers) if together else None)
        else:
            todo = [replace(job, fingerprint=question["data_fingerprint"]) for job in todo]
            done = _watched(todo, 1, show, partial(run_on_cluster, client, at_once=jobs, shared=folder))
        if all(ended.error for ended in done if not ended.baseline):
            raise AtlasError(f"no run succeeded: {reasons(done)}")
        return summarize(folder, dataset, done, question, entries)


def _watched(
    todo: list[Job], workers: int, show: str, elsewhere: Callable[[list[Job]], Iterator[Done]] | None = None
) -> list[Done]:
    """Run all jobs and tell of each; an interruption says how to go on."""
    done: list[Done] = []
    stopped = False
    try:
        with (
            Forwarding(stop_mark(todo[0]) if workers > 1 and len(missing_of(todo)) > 1 else None) as signals,
            Show(show, [(job.entry.label, job.seed, job.folder) for job in todo]) as shown,
        ):
            for ended in run_all(todo, workers, elsewhere):
                stopped = stopped or ended.error == STOPPED
                if ended.error != STOPPED:
                    done.append(ended)
                    shown.ended(ended.label, ended.seed, ended.error)
                elif workers == 1:
                    break
            stopped = stopped or signals.asked
    except KeyboardInterrupt:
        stopped = True
    except BrokenExecutor as error:
        if not signals.asked:
            raise AtlasError(
                f"a worker process died ({error}), perhaps for want of memory; finished runs are kept: "
                "start the same command again, with --jobs 1"
            ) from error
        stopped = True
    if stopped:
        kept = sum(not ended.error for ended in done)
        raise Interrupted(
            f"interrupted with {kept} of {len(todo)} runs finished; the same command goes on with the others"
        )
    return done


def _question(
    entries: list[Entry], recipes: list[Recipe], data: str, own: Mapping[str, Any], seeds: list[int]
) -> dict[str, Any]:
    """What is asked, with each method's whole recipe: other defaults make another question."""
    methods = {
        entry.label: {
            "method": recipe.method,
            "settings": _plain(entry.settings),
            "recipe": _plain(recipe.model_dump(exclude=NOT_ASKED, exclude_none=True)),
            **_source(entry.method),
        }
        for entry, recipe in zip(entries, recipes, strict=True)
    }
    return {"format": 1, "data": data, "data_options": _plain(own), "seeds": seeds, "methods": methods}


def _source(method: Any) -> dict[str, str]:
    """What one's own method is, where it can be read: runs of an older text answer another question."""
    if card_of(method).kind != "own":
        return {}
    try:
        text = inspect.getsource(get(method) if isinstance(method, str) else method)
    except (OSError, TypeError):
        return {}
    return {"source": hashlib.sha256(text.encode()).hexdigest()[:16]}


def _plain(value: Any) -> Any:
    """As JSON would give it back: tuples become lists."""
    return json.loads(json.dumps(value, default=str))


def _folder_name(entries: list[Entry], data: str, question: dict[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()[:8]
    names = list(dict.fromkeys(entry.slug for entry in entries))
    return f"{dataset_stem(data)}-{'-'.join(names)[:60].rstrip('-')}-{digest}"


def _refuse_foreign(folder: Path) -> None:
    """A folder that holds other things is left alone."""
    try:
        taken = folder.is_dir() and any(path.name != LOCK for path in folder.iterdir())
        if taken and not (folder / STUDY).exists():
            raise UsageError(f"{folder} is not empty and holds no study; name another --out")
    except OSError as error:
        raise AtlasError(unwritable(folder, error)) from error


def _open_study(folder: Path, question: dict[str, Any], fresh: bool) -> None:
    path = folder / STUDY
    try:
        if fresh and path.exists():
            _empty(folder)
        if path.exists():
            if read_question(folder) != question:
                raise UsageError(
                    f"{folder} holds another study; name another --out, or say --fresh to replace it"
                )
            return
        replace_durably(path, yaml.safe_dump({**question, "versions": versions()}, sort_keys=False).encode())
    except OSError as error:
        raise AtlasError(unwritable(folder, error)) from error


def _empty(folder: Path) -> None:
    """Take away a study; `study.yaml` goes last, so that what is left by an interruption is one still."""
    for child in sorted(folder.iterdir(), key=lambda path: path.name == STUDY):
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        elif child.name != LOCK:
            child.unlink()


def read_question(folder: Path) -> dict[str, Any]:
    """What a `study.yaml` asks. Raises AtlasError where it is damaged."""
    try:
        question: dict[str, Any] = yaml.safe_load((folder / STUDY).read_text(encoding="utf-8"))
        if question.keys() >= WHOLE:
            del question["versions"]
            return question
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError):
        pass
    raise AtlasError(
        f"{folder / STUDY} is damaged; put it back, or begin anew: the same compare command with --fresh"
    )


def _jobs(
    entries: list[Entry],
    recipes: list[Recipe],
    dataset: Dataset,
    source: Any,
    own: Mapping[str, Any],
    seeds: list[int],
    folder: Path,
) -> Iterator[Job]:
    """Seed by seed, so that a verdict is near from early on; baselines beside the methods."""
    labels = {name for entry in entries for name in (entry.label, card_of(entry.method).name)}
    supervised = any(learns_from_target(card_of(entry.method), entry.method) for entry in entries)
    names = baseline_names(dataset, labels, recipes[0]) if supervised or dataset.task == "control" else []
    settings = shared_settings(recipes[0], entries[0].method)
    drawn = [Entry(name, name, settings, baseline=True) for name in names]
    study = uuid.uuid4().hex
    for seed in seeds:
        for entry in [*entries, *drawn]:
            yield Job(entry, seed, source, own, folder / "runs" / f"{entry.slug}-seed{seed}", study)
