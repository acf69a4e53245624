"""The runs of a comparison as jobs: each in its folder, many at a time, stopped together."""

import errno
import hashlib
import json
import multiprocessing
import os
import platform
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Self

import torch
from joblib import Parallel, cpu_count, delayed, parallel_config
from safetensors import SafetensorError
from safetensors.numpy import load as arrays_from_bytes

from ... import data as sources
from ...data.spec import Dataset
from ...engine.checkpoint import Store, unwritable
from ...engine.errors import AtlasError, Interrupted, UsageError
from ..training.inputs import data_name, fingerprint
from ..training.recipe import Recipe, read_recipe
from ..training.resolve import resolve
from ..training.run import RECIPE, RESULT, TEST, TEST_SUM
from ..training.train import resume, run_recipe
from .baselines import run_baseline

STOPPED = "interrupted"
LOCKS = ".locks"  # beside the runs: a run's folder is not made before its trial
_stopped: set[str] = set()  # studies whose runs this process was asked to end


@dataclass(frozen=True)
class Entry:
    """One competitor: a method with its settings."""

    label: str
    method: Any  # a name, or a user's own class
    settings: Mapping[str, Any] = field(default_factory=dict)
    baseline: bool = False  # drawn beside the competitors, whether asked for or not

    @property
    def slug(self) -> str:
        """The label as a folder's name."""
        clean = "".join(c if c.isalnum() or c in "-_." else "-" for c in self.label)
        return clean if len(clean) <= 80 else f"{clean[:70]}-{hashlib.sha256(clean.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class Job:
    """One run of a study: what to train with which seed, and where."""

    entry: Entry
    seed: int
    data: Any
    own: Mapping[str, Any]  # target, task, group, time
    folder: Path
    study: str  # names this call, so that a stop does not outlive it in a worker that is used again
    threads: int | None = None
    fingerprint: str | None = None  # of the data, where it may be another on the machine that opens it


@dataclass(frozen=True)
class Done:
    """How a job ended: its folder, or what went wrong."""

    label: str
    seed: int
    folder: Path
    error: str = ""
    baseline: bool = False
    warnings: tuple[str, ...] = ()  # that a worker process raised

    @property
    def reason(self) -> str:
        """The first line of what went wrong."""
        return self.error.strip().partition("\n")[0].rstrip(" .:")


def workers_for(jobs: int | None, count: int) -> int:
    """As many runs at a time as there are cores, each on its share of the threads; one on an accelerator."""
    if jobs is not None:
        return max(1, min(jobs, count))
    return 1 if torch.cuda.is_available() or count < 4 else min(cpu_count(), count)


def threads_for(workers: int) -> int:
    """The threads of each of so many workers."""
    return max(1, cpu_count() // workers)


def finished(folder: Path, baseline: bool = False) -> bool:
    """Whether a run's folder holds all that a comparison reads; what is damaged or lost is run again."""
    try:
        result = json.loads((folder / RESULT).read_text())
        if not {"scores", "metric", "parts", "clock"} <= result.keys():
            return False
        if TEST_SUM in result or result["metric"] != "loss":
            content = (folder / TEST).read_bytes()
            if result.get(TEST_SUM) not in (None, hashlib.sha256(content).hexdigest()):
                return False
            arrays_from_bytes(content)
        if not baseline:
            read_recipe(folder / RECIPE)
            sources.Preparation.load(folder / "preparation")
        return baseline or (folder / "model").exists() or bool(Store(folder / "checkpoints").steps())
    except (OSError, ValueError, AttributeError, TypeError, SafetensorError, AtlasError):
        return False


def missing_of(jobs: list[Job]) -> list[Job]:
    """The jobs that have no sound result yet."""
    return [job for job in jobs if not finished(job.folder, job.entry.baseline)]


def reasons(done: Sequence[Done]) -> str:
    """Why runs failed: the first line of each method's first failure; methods that failed alike together."""
    first: dict[str, str] = {}
    for ended in done:
        if ended.error:
            first.setdefault(ended.label, ended.reason)
    alike: dict[str, list[str]] = {}
    for label, why in first.items():
        alike.setdefault(why, []).append(label)
    return "; ".join(f"{', '.join(labels)}: {why}" for why, labels in alike.items())


def run_all(
    jobs: list[Job], workers: int, elsewhere: Callable[[list[Job]], Iterator[Done]] | None = None
) -> Iterator[Done]:
    """Each job as it ends; those that are finished already first. elsewhere: runs them, not this machine."""
    missing = missing_of(jobs)
    waiting = {(job.entry.label, job.seed) for job in missing}
    for job in jobs:
        if (job.entry.label, job.seed) not in waiting:
            yield Done(job.entry.label, job.seed, job.folder, baseline=job.entry.baseline)
    if elsewhere is None and (workers == 1 or len(missing) < 2):
        yield from map(run_job, missing)
        return
    for ended in (elsewhere or partial(_in_processes, workers=workers))(missing):
        for text in ended.warnings:
            warnings.warn(text, stacklevel=2)
        yield ended


def _in_processes(jobs: list[Job], workers: int) -> Iterator[Done]:
    return in_workers(workers, run_quietly, jobs)


def in_workers(workers: int, work: Callable[[Any], Any], things: Iterable[Any]) -> Iterator[Any]:
    """What some work gives for each thing, as it ends, in so many processes."""
    # Between runs loky exchanges a worker that holds much memory for a fresh one: nothing is lost by it.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
    with parallel_config(backend="loky", initializer=_takes_no_signals):
        pool = Parallel(n_jobs=workers, return_as="generator_unordered")
        found: Iterator[Any] = pool(delayed(work)(thing) for thing in things)
    return found


def _takes_no_signals() -> None:
    """A worker that waits for work and is ended would keep the others from theirs; a run has its own ways."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def stop_mark(job: Job) -> Path:
    """The file that tells workers to begin no other run of a study."""
    return job.folder.parent / LOCKS / f"stopped-{job.study}"


class Forwarding:
    """While open, SIGTERM ends a comparison as Ctrl-C does; workers first end at a checkpoint.

    mark: what tells workers that they are to begin no other run; None where there are none.
    """

    def __init__(self, mark: Path | None):
        self.mark, self.asked, self._before = mark, False, {}  # type: Path | None, bool, dict[int, Any]

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self.mark is not None:
            self.mark.unlink(missing_ok=True)

    def _ask(self, number: int, frame: Any) -> None:
        if self.asked or self.mark is None:
            raise KeyboardInterrupt
        self.asked = True
        self.mark.parent.mkdir(parents=True, exist_ok=True)
        self.mark.touch()
        for child in multiprocessing.active_children():
            child.terminate()


@lru_cache(maxsize=1)
def _opened(study: str, source: str, own: tuple[tuple[str, Any], ...]) -> Dataset:
    """The data, read once a study and worker: a file may have changed since an earlier study."""
    options: dict[str, Any] = {k: list(v) if isinstance(v, tuple) else v for k, v in own}
    return sources.open_dataset(source, **options)


def run_quietly(job: Job, wanted: Callable[[], None] = lambda: None) -> Done:
    """A job in a worker process: its warnings are handed to the process that shows them."""
    with warnings.catch_warnings(record=True) as caught:
        done = run_job(job, wanted)
    return replace(done, warnings=tuple(dict.fromkeys(str(each.message) for each in caught)))


def run_job(job: Job, wanted: Callable[[], None] = lambda: None) -> Done:
    """Train one run of a study, or go on with it; what goes wrong becomes words.

    wanted: called time and again; what it raises, if it is no Exception, ends the run there and then.
    """
    entry, folder = job.entry, job.folder
    if is_stopped(job):
        return Done(entry.label, job.seed, folder, STOPPED, entry.baseline)
    try:
        with _alone(folder, wanted):
            if not finished(folder, entry.baseline):  # by another worker, perhaps, that was thought dead
                _train(job, wanted)
        return Done(entry.label, job.seed, folder, baseline=entry.baseline)
    except Exception as error:  # one failed run must not take the others with it
        return failed(job, error)


def is_stopped(job: Job) -> bool:
    """Whether the study of a job was asked to end."""
    return job.study in _stopped or stop_mark(job).exists()


def failed(job: Job, error: Exception) -> Done:
    """What went wrong with a job, in words; after an interruption no other job of its study begins here."""
    kind = "" if isinstance(error, AtlasError) else f"{type(error).__name__}: "
    words = f"{kind}{error}"
    if isinstance(error, Interrupted):
        _stopped.add(job.study)
        words = STOPPED
    return Done(job.entry.label, job.seed, job.folder, words, job.entry.baseline)


def _train(job: Job, wanted: Callable[[], None]) -> None:
    entry, folder, listeners = job.entry, job.folder, (lambda event: wanted(),)
    dataset = dataset_of(job)
    if entry.baseline:
        run_baseline(entry.label, dataset, job.seed, entry.settings, folder)
    elif (folder / RECIPE).exists():
        _check_same(folder, job)
        resume(folder, dataset, method=entry.method, listeners=listeners)
    else:
        run_recipe(recipe_of(job, dataset), dataset, folder, method=entry.method, listeners=listeners)


def dataset_of(job: Job) -> Dataset:
    """A job's data. Raises AtlasError where it is other data than that of its study."""
    own = tuple((k, tuple(v) if isinstance(v, list) else v) for k, v in job.own.items())
    dataset: Dataset = _opened(job.study, job.data, own) if isinstance(job.data, str) else job.data
    if job.fingerprint not in (None, fingerprint(dataset)):
        raise AtlasError(
            f"{job.data} is other data on {platform.node()} than where the comparison was started"
        )
    return dataset


def recipe_of(job: Job, dataset: Dataset) -> Recipe:
    """The recipe of a job; of one that goes on, that of its folder."""
    if (job.folder / RECIPE).exists():
        return _check_same(job.folder, job)
    name = data_name(job.data, dataset)
    recipe = resolve(job.entry.method, name, {**job.entry.settings, "seed": job.seed}, own=job.own)
    return recipe.model_copy(update={"threads": recipe.threads or job.threads})


@contextmanager
def _alone(folder: Path, wanted: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of a run; whoever has it is waited for. The lock of a process that died is free."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    try:
        lock = folder.parent / LOCKS / folder.name
        lock.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise AtlasError(unwritable(folder, error)) from error
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                    break  # a disk without locks
                wanted()
                time.sleep(0.2)
        yield
    finally:
        os.close(handle)


def _check_same(folder: Path, job: Job) -> Recipe:
    try:
        recipe = read_recipe(folder / RECIPE)
    except UsageError as error:
        raise AtlasError(f"{error}; delete {folder} to run it anew") from error
    if recipe.seed != job.seed:
        raise AtlasError(f"{folder} holds a run of another seed; begin anew with --fresh")
    return recipe
