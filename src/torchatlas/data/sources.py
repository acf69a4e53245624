"""Opening data: a set's name, a path, a DataFrame or arrays become a `Dataset`."""

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..engine.errors import DataError, UsageError
from .arrays import from_arrays, open_npz
from .experience import open_environment
from .images import is_image, open_folder
from .named import NAMED, open_named
from .reading import Reading, did_you_mean, missing_path
from .spec import Dataset
from .tables import from_frame, open_csv, open_parquet
from .targets import as_frame, refuse_unknown, tell_task
from .text import open_text

OPENERS = {
    "folder": open_folder,
    "csv": open_csv,
    "parquet": open_parquet,
    "npz": open_npz,
    "text": open_text,
}
SUFFIXES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".npz": "npz",
}


def open_dataset(
    source: Any,
    *,
    target: str | Sequence[str] | None = None,
    task: str | None = None,
    group: str | None = None,
    time: str | None = None,
    drop: Sequence[str] = (),
    skip_broken: bool = False,
    size: int | tuple[int, int] | None = None,
    stream: bool | None = None,
    separator: str | None = None,
    encoding: str | None = None,
    missing: Sequence[str] = (),
) -> Dataset:
    """Data as it is: nothing is split, fitted or scaled yet.

    `source` is a set's name ("digits"), "folder:PATH", "csv:PATH", "parquet:PATH", "npz:PATH", "text:PATH",
    "gym:NAME", a path whose
    suffix tells, a DataFrame, an (X, y) or (X, y, weights) tuple, an array, or a Dataset. `task` says
    classification, regression, multilabel or none where the target alone does not; `group` and `time` name
    columns that order the splits; `drop` names columns to leave out. `missing` holds words that mean "no
    value" beside those that pandas knows (NA, None, null …); with "" among them they are the only ones.
    `stream` says whether the images of a folder stay in their files and are decoded as they are needed;
    without it they do where they would take more than 1 GiB of memory.
    """
    refuse_unknown(task)
    drop = [drop] if isinstance(drop, str) else [str(name) for name in drop]
    missing = [str(missing)] if np.isscalar(missing) else [str(word) for word in missing]
    if target is not None:
        target = str(target) if np.isscalar(target) else [str(name) for name in target]
    size = (size, size) if isinstance(size, int) else size
    if size is not None and (len(size) != 2 or not all(isinstance(s, int) and s > 0 for s in size)):
        raise UsageError(f"size={size!r} must be a height and a width in pixels, such as (224, 224)")
    if stream not in (None, True, False):
        raise UsageError(f"stream={stream!r} must be True or False")
    how = Reading(target, task, group, time, drop, skip_broken, size, stream, separator, encoding, missing)
    if isinstance(source, Dataset):
        return _again(source, how)
    if isinstance(source, str | os.PathLike):
        return _open_words(os.fspath(source), how)
    if isinstance(source, pd.DataFrame):
        return from_frame(source, how)
    if isinstance(source, tuple):
        return from_arrays(source, how)
    if isinstance(source, np.ndarray) or hasattr(source, "detach"):
        return from_arrays((source,), how)
    raise UsageError(
        f"data cannot be a {type(source).__name__}; give a name such as 'digits', a path, a DataFrame, "
        "or a tuple (X, y)"
    )


def _open_words(source: str, how: Reading) -> Dataset:
    name = source.strip().lower().replace("-", "_")
    if name in NAMED and not any((how.drop, how.group, how.time, how.targets)):
        return _again(open_named(name), how)
    if name in NAMED:
        return _chosen(open_named(name), how)
    prefix, colon, rest = source.partition(":")
    if colon and len(prefix) > 1 and re.fullmatch("[a-z]+", prefix):
        if prefix == "gym" and rest:
            return open_environment(rest)
        if prefix not in (*OPENERS, "gym"):
            raise UsageError(f"there is no data source {prefix + ':'!r}{_hint(prefix)} ({_every()})")
        if not rest:
            raise UsageError(f"say which path after {source!r}: {source}PATH")
        return _open_path(Path(rest).expanduser(), prefix, how)
    path = Path(source).expanduser()
    if path.is_dir():
        return _open_path(path, "folder", how)
    ending = path.suffixes[-2] if path.suffix == ".gz" and len(path.suffixes) > 1 else path.suffix
    if is_image(path):
        return _open_path(path, "folder", how)
    if ending in SUFFIXES:
        return _open_path(path, SUFFIXES[ending], how)
    if path.exists():
        raise UsageError(f"what is in {source}? say csv:, parquet:, npz: or folder: before the path")
    if os.sep in source or path.suffix:
        raise DataError(missing_path(path))
    raise UsageError(f"there is no data set called {source!r}{_hint(source)} ({_every()})")


def _open_path(path: Path, kind: str, how: Reading) -> Dataset:
    if not path.exists():
        raise DataError(missing_path(path))
    return OPENERS[kind](path, how)


def _hint(name: str) -> str:
    return did_you_mean(name, [*NAMED, *OPENERS])


def _every() -> str:
    return f"sets: {', '.join(NAMED)}; your own: {', '.join(f'{kind}:PATH' for kind in OPENERS)}"


def _again(dataset: Dataset, how: Reading) -> Dataset:
    """A dataset whose task may be said anew."""
    if how.task == "none":
        return replace(dataset, target=None, task="none", classes=())
    if how.task is None or how.task == dataset.task:
        return dataset
    if dataset.target is None:
        raise UsageError(f"{dataset.name} has no target, so its task cannot be {how.task}")
    target = as_frame(dataset.target)
    return replace(dataset, task=tell_task(target, how.task))


def _chosen(dataset: Dataset, how: Reading) -> Dataset:
    """A named table whose columns are chosen as in a frame of one's own."""
    if dataset.modality != "table" or dataset.target is None:
        raise UsageError(f"{dataset.name} has images, no columns: leave out target, group, time and drop")
    target = as_frame(dataset.target)
    if dataset.classes:
        target = target.map(lambda v: dataset.classes[int(v)])
    frame = pd.concat([pd.DataFrame(dataset.inputs), target], axis=1)
    targets = how.targets or list(target.columns)
    return from_frame(frame, replace(how, target=targets), dataset.name)
