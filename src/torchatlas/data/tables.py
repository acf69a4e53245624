"""Tables of one's own: CSV and Parquet files and DataFrames."""

import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..engine.errors import DataError, UsageError
from .columns import is_text, refuse_objects, told_by_storage, typed
from .delimited import Table, read_csv
from .formats import refuse_format
from .reading import Reading, did_you_mean, listed, read_bytes, shown
from .spec import Dataset, Finding, Severity
from .targets import as_frame, tell_task

USUAL = ("target", "label", "class", "y")


def read_table(path: Path, how: Reading, kind: str = "") -> Table:
    """A file as it is; `kind` is csv or parquet, or the file's suffix tells."""
    if kind == "parquet" or (not kind and path.suffix in (".parquet", ".pq")):
        return Table(read_parquet(path))
    return read_csv(path, how)


def read_parquet(path: Path) -> pd.DataFrame:
    """A Parquet file as a frame."""
    data = read_bytes(path)
    try:
        return pd.read_parquet(io.BytesIO(data))
    except ImportError:
        raise DataError(f"reading {path} needs pyarrow: install torchatlas[parquet]") from None
    except (OSError, ValueError) as error:
        if data[:4] != b"PAR1":
            raise DataError(refuse_format(path, data, "no readable Parquet file")) from None
        raise DataError(f"{path} is no readable Parquet file: {error}; get or write it again") from None


def open_csv(path: Path, how: Reading) -> Dataset:
    """A CSV file as a dataset."""
    return _open_table(path, how, "csv")


def open_parquet(path: Path, how: Reading) -> Dataset:
    """A Parquet file as a dataset."""
    return _open_table(path, how, "parquet")


def _open_table(path: Path, how: Reading, kind: str) -> Dataset:
    table = read_table(path, how, kind)
    dataset = from_frame(table.frame, how, path.name)
    dataset.notes[:0] = table.notes
    dataset.line = table.line
    names = [] if dataset.target is None else [*as_frame(dataset.target).columns]
    dataset.findings += [
        _emptied(name, table.emptied[name], "error" if name in names else "note")
        for name in table.emptied
        if name in names or name in dataset.inputs
    ]
    return dataset


def _emptied(name: str, words: Counter[str], severity: Severity) -> Finding:
    each = listed(f"{word!r} in {count:,} row{'s' * (count > 1)}" for word, count in words.most_common())
    cure = 'say --set \'missing=""\' (in Python missing="")'
    text = f"in column {name!r} this text was read as an empty cell: {each}; if it is a value, {cure}"
    return Finding(severity, f"{text}, and only cells without text are empty")


def from_frame(frame: pd.DataFrame, how: Reading, name: str = "table") -> Dataset:
    """A DataFrame as a dataset: columns typed, the target, group and time columns taken out."""
    frame = _named(frame, name)
    notes: list[str] = []
    targets = _targets(frame, how, name, notes)
    for column in [*targets, *how.drop, *(c for c in (how.group, how.time) if c)]:
        _known(frame, column, name)
    if how.group in targets:
        raise UsageError(
            f"{how.group!r} is the target: rows cannot be kept together by it; say another group"
        )
    frame = frame.drop(columns=[c for c in how.drop if c not in targets])
    refuse_objects(frame.drop(columns=targets))
    refuse_objects(frame[targets], "the target")
    frame = without_words(frame, how.missing)
    said = how.task
    if len(targets) == 1 and told_by_storage(frame[targets[0]]):
        said = said or told_by_storage(frame[targets[0]])
        frame[targets[0]] = frame[targets[0]].astype(object)
    frame, formats, guessed = typed(frame)
    target = frame[targets] if targets else None
    task = tell_task(target, said) if target is not None else "none"
    group, time = _order(frame, how.group), _moments(frame, how.time)
    inputs = frame.drop(columns=[*targets, *([how.group] if how.group else [])])
    if inputs.shape[1] == 0:
        raise DataError(f"{name} has no column left to learn from")
    if how.group:
        notes.append(f"the group column {how.group!r} is no input")
    formats = {c: f for c, f in formats.items() if c in inputs}
    kept = None if task == "none" or target is None else target.iloc[:, 0] if len(targets) == 1 else target
    return Dataset(
        name,
        "table",
        inputs,
        kept,
        task,
        group=group,
        time=time,
        notes=notes + guessed,
        formats=formats,
        missing=how.missing,
    )


def without_words(frame: pd.DataFrame, missing: Sequence[str]) -> pd.DataFrame:
    """The frame with empty cells where it has one of the words, or numbers, that mean "no value"."""
    if not missing:
        return frame
    numbers = pd.to_numeric(pd.Series(missing), errors="coerce").dropna()
    return frame.mask(frame.isin([*missing, *numbers]))


def _named(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    if frame.empty:
        raise DataError(f"{name} has no rows or no columns")
    if isinstance(frame.columns, pd.MultiIndex):
        raise DataError(
            f"{name} has column names of several levels; make them one, "
            "as in df.columns = ['_'.join(map(str, c)) for c in df.columns]"
        )
    frame = frame.set_axis([str(c).strip() for c in frame.columns], axis=1).reset_index(drop=True)
    double = frame.columns[frame.columns.duplicated()].unique()
    if len(double):
        raise DataError(f"{name} has more than one column called {listed(map(repr, double))}; rename them")
    return frame


def _targets(frame: pd.DataFrame, how: Reading, name: str, notes: list[str]) -> list[str]:
    if how.targets or how.task == "none":
        return how.targets
    for usual in USUAL:
        for column in frame.columns:
            if column.lower() == usual:
                notes.append(f"the column {column!r} is taken as the target")
                return [column]
    raise DataError(
        f"which column of {name} is the target? say target=... (or task=none for data without one); "
        f"columns: {listed(frame.columns, 30)}"
    )


def _known(frame: pd.DataFrame, column: str, name: str) -> None:
    if column not in frame:
        raise DataError(
            f"{name} has no column {column!r}{did_you_mean(column, frame.columns)} "
            f"(columns: {listed(frame.columns, 30)})"
        )


def _order(frame: pd.DataFrame, column: str | None) -> np.ndarray[Any, Any] | None:
    if column is None:
        return None
    if frame[column].isna().any():
        row = int(np.flatnonzero(frame[column].isna())[0])
        raise DataError(
            f"row {row} has nothing in column {column!r}, by which the rows are split; fill or drop it"
        )
    return frame[column].to_numpy()


def _moments(frame: pd.DataFrame, column: str | None) -> np.ndarray[Any, Any] | None:
    """The column by which rows are ordered in time: dates or numbers, as words have no such order."""
    times = _order(frame, column)
    if column is not None and is_text(frame[column]):
        cell = shown(next(v for v in frame[column] if isinstance(v, str) or v is frame[column].iloc[-1]))
        raise DataError(
            f"the time column {column!r} holds words such as {cell}, whose order in time is not known; "
            "write dates as 2024-12-31 (with 18:30 after it), or numbers"
        )
    return times
