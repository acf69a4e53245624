"""Comparing methods: the same budget for each, over seeds, to a verdict, a table and a report."""

import hashlib
import itertools
import json
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any

import yaml

from ... import data as sources
from ...data.spec import Dataset
from ...engine.checkpoint import replace_durably, unwritable
from ...engine.environment import versions
from ...engine.errors import AtlasError, Interrupted, UsageError
from ..training.build import learns_from_target
from ..training.inputs import data_name, dataset_stem, fingerprint
from ..training.recipe import SETTABLE, Recipe
from ..training.resolve import DATA_OPTIONS, card_of, method_options, resolve
from .baselines import baseline_names
from .jobs import STOPPED, Done, Entry, Forwarding, Job, missing_of, run_all, threads_for, workers_for
from .live import Show
from .summary import Comparison, summarize

STUDY = "study.yaml"
NOT_ASKED = {"format", "method", "data", "data_options", "seed", "threads", "versions"}


def compare(
    methods: Sequence[Any] | Any,
    data: Any = "digits",
    *,
    vary: Mapping[str, Sequence[Any]] | None = None,
    seeds: int | Sequence[int] = 5,
    metric: str | None = None,
    jobs: int | None = None,
    out: str | Path | None = None,
    fresh: bool = False,
    show: str = "auto",
    **settings: Any,
) -> Comparison:
    """Compare methods on data under one budget: which is best, by how much, at what cost.

    methods: names, "module:Thing", or your own nn.Module classes. vary: option -> values; each method is run
    with each. seeds: how many (0, 1, …), or which; each redraws the split unless the data has a test part.
    settings: as for `train`; an option that only some methods have goes to those. jobs: runs at a time.
    out: the study's folder; runs found there are kept (fresh=True begins anew). show: "auto" (a live table
    on a terminal, else lines), "json" or "none".

    Returns a Comparison: `.table`, `.verdict`, `.sentence`, `.figures`, `.report`. A run that fails is
    reported and the others go on. Raises AtlasError for wrong words and where no run succeeds.
    """
    own = {key: settings.pop(key) for key in DATA_OPTIONS if settings.get(key) is not None}
    methods = [methods] if isinstance(methods, str) or not isinstance(methods, Sequence) else list(methods)
    dataset = data if isinstance(data, Dataset) else sources.open_dataset(data, **own)
    name = data_name(data, dataset)
    entries = make_entries(methods, vary or {}, settings | ({"metric": metric} if metric else {}))
    chosen = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    if not chosen or len(set(chosen)) < len(chosen):
        raise UsageError(f"seeds={seeds} must name at least one seed, and each once: a repeat shows nothing")
    recipes = [resolve(entry.method, name, entry.settings, own=own) for entry in entries]
    question = _question(entries, recipes, name, own, chosen) | {"data_fingerprint": fingerprint(dataset)}
    folder = Path(out) if out else Path("studies") / _folder_name(entries, name, question)
    _open_study(folder, question, fresh)
    todo = list(_jobs(entries, dataset, data, own, chosen, folder))
    workers = workers_for(jobs, len(todo))
    todo = [Job(**{**vars(job), "threads": threads_for(workers)}) for job in todo]
    done = _watched(todo, workers, show)
    if all(ended.error for ended in done if not ended.baseline):
        raise AtlasError(f"no run succeeded; the first failure: {next(e.error for e in done if e.error)}")
    return summarize(folder, dataset, done, question, entries)


def _watched(todo: list[Job], workers: int, show: str) -> list[Done]:
    """Run all jobs and tell of each; an interruption says how to go on."""
    done: list[Done] = []
    stopped = False
    try:
        with (
            Forwarding(workers > 1 and len(missing_of(todo)) > 1) as signals,
            Show(show, [(job.entry.label, job.seed, job.folder) for job in todo]) as shown,
        ):
            for ended in run_all(todo, workers):
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


def make_entries(
    methods: Sequence[Any], vary: Mapping[str, Sequence[Any]], settings: Mapping[str, Any]
) -> list[Entry]:
    """One entry per method and combination of varied values; a setting goes to the methods that have it.

    Raises UsageError for a setting or varied key that no method has, and for two entries of one name.
    """
    known = {id(m): method_options(card_of(m), m) for m in methods}
    for key in {**settings, **vary}:
        if not any(_takes(known[id(m)], key) for m in methods):
            resolve(methods[0], "", {key: None})  # raises, with the names that there are
    combinations = [dict(zip(vary, values, strict=True)) for values in itertools.product(*vary.values())]
    entries = []
    for method, varied in itertools.product(methods, combinations):
        everything = {**settings, **varied}
        mine = {key: value for key, value in everything.items() if _takes(known[id(method)], key)}
        words = " ".join(f"{key}={value}" for key, value in varied.items())
        name = card_of(method).name.rpartition(":")[2] or card_of(method).name
        entries.append(
            Entry(f"{name} {words}".strip() if len(methods) > 1 or not words else words, method, mine)
        )
    labels = [entry.label for entry in entries]
    if twice := {label for label in labels if labels.count(label) > 1}:
        raise UsageError(f"{', '.join(sorted(twice))} would be compared with itself; name each method once")
    return entries


def _takes(options: list[str] | None, key: str) -> bool:
    return options is None or key in SETTABLE or key in options or key.startswith("optimizer.")


def _question(
    entries: list[Entry], recipes: list[Recipe], data: str, own: Mapping[str, Any], seeds: list[int]
) -> dict[str, Any]:
    """What is asked, with each method's whole recipe: other defaults make another question."""
    methods = {
        entry.label: {
            "method": recipe.method,
            "settings": _plain(entry.settings),
            "recipe": _plain(recipe.model_dump(exclude=NOT_ASKED, exclude_none=True)),
        }
        for entry, recipe in zip(entries, recipes, strict=True)
    }
    return {"format": 1, "data": data, "data_options": _plain(own), "seeds": seeds, "methods": methods}


def _plain(value: Any) -> Any:
    """As JSON would give it back: tuples become lists."""
    return json.loads(json.dumps(value, default=str))


def _folder_name(entries: list[Entry], data: str, question: dict[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()[:8]
    names = list(dict.fromkeys(entry.slug for entry in entries))
    return f"{dataset_stem(data)}-{'-'.join(names)[:60].rstrip('-')}-{digest}"


def _open_study(folder: Path, question: dict[str, Any], fresh: bool) -> None:
    path = folder / STUDY
    try:
        if fresh and path.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists():
            before = yaml.safe_load(path.read_text())
            before.pop("versions", None)
            if before != question:
                raise UsageError(
                    f"{folder} holds another study; name another --out, or say --fresh to replace it"
                )
            return
        if any(folder.iterdir()):
            raise UsageError(f"{folder} is not empty and holds no study; name another --out")
        replace_durably(path, yaml.safe_dump({**question, "versions": versions()}, sort_keys=False).encode())
    except OSError as error:
        raise AtlasError(unwritable(folder, error)) from error


def _jobs(
    entries: list[Entry], dataset: Dataset, data: Any, own: Mapping[str, Any], seeds: list[int], folder: Path
) -> Iterator[Job]:
    """Seed by seed, so that a verdict is near from early on; baselines beside the methods."""
    source = data if isinstance(data, str) else dataset
    labels = {card_of(entry.method).name for entry in entries}
    split = {
        k: v for k, v in entries[0].settings.items() if k in ("split", "test", "valid", "fold", "metric")
    }
    supervised = any(learns_from_target(card_of(entry.method), entry.method) for entry in entries)
    names = baseline_names(dataset, labels) if supervised else []
    drawn = [Entry(name, name, split, baseline=True) for name in names]
    study = uuid.uuid4().hex
    for seed in seeds:
        for entry in [*entries, *drawn]:
            yield Job(entry, seed, source, own, folder / "runs" / f"{entry.slug}-seed{seed}", study)


def make_entries_again(question: Mapping[str, Any]) -> list[Entry]:
    """The entries of a `study.yaml`."""
    return [Entry(label, m["method"], m["settings"]) for label, m in question["methods"].items()]
