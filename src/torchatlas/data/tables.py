"""Tables of one's own: CSV and Parquet files and DataFrames."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..engine.errors import DataError
from .columns import typed, without_commas
from .reading import Reading, did_you_mean, listed, read_bytes
from .spec import Dataset
from .targets import tell_task

USUAL = ("target", "label", "class", "y")
SEPARATORS = (",", ";", "\t", "|")


def read_table(path: Path, how: Reading) -> tuple[pd.DataFrame, list[str], int | None]:
    """A file as it is, with notes, and the line of its row 0 (None where rows are not lines)."""
    if path.suffix in (".parquet", ".pq"):
        return read_parquet(path), [], None
    return read_csv(path, how)


def read_parquet(path: Path) -> pd.DataFrame:
    """A Parquet file as a frame."""
    data = read_bytes(path)
    try:
        return pd.read_parquet(io.BytesIO(data))
    except ImportError:
        raise DataError(f"reading {path} needs pyarrow: install torchatlas[parquet]") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is no readable Parquet file: {error}") from None


def read_csv(path: Path, how: Reading) -> tuple[pd.DataFrame, list[str], int | None]:
    """A CSV file whose separator and encoding are seen from its text, or said."""
    text, notes = _decode(path, how.encoding)
    if not text.strip():
        raise DataError(f"{path} is empty; it must have a line of column names and one line per row")
    separator = how.separator or _separator(text)
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            na_values=list(how.missing) or None,
            skipinitialspace=True,
            low_memory=False,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        shown = {"\t": "tab"}.get(separator, separator)
        raise DataError(
            f"{path} cannot be read as a table with the separator {shown!r}: {str(error).strip()}; "
            "mend that line, or say separator=..."
        ) from None
    if not isinstance(frame.index, pd.RangeIndex):
        raise DataError(f"{path} has rows with more cells than the line of column names; mend that line")
    if frame.empty:
        raise DataError(f"{path} has column names but no rows")
    for name in frame.columns:
        frame[name] = without_commas(frame[name], decimal=separator != ",")
    lines = text.rstrip().count("\n") + 1
    return _without_row_numbers(frame, notes), notes, 2 if lines == len(frame) + 1 else None


def _decode(path: Path, encoding: str | None) -> tuple[str, list[str]]:
    data = read_bytes(path)
    if path.suffix == ".gz":
        import gzip

        try:
            data = gzip.decompress(data)
        except (OSError, EOFError) as error:
            raise DataError(f"{path} is damaged: {error}; get the file again") from None
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = encoding or "utf-16"
    if b"\0" in data[:1000] and encoding is None:
        raise DataError(f"{path} is no text file; for other formats say parquet:, npz: or folder:")
    try:
        return data.decode(encoding or "utf-8-sig"), []
    except LookupError:
        raise DataError(f"there is no encoding {encoding!r}; try utf-8, latin-1 or cp1252") from None
    except UnicodeDecodeError as error:
        if encoding:
            raise DataError(f"{path} is not {encoding}: {error.reason} at byte {error.start}") from None
    note = f"{path.name} is not UTF-8; it was read as latin-1 (say encoding=... if letters look wrong)"
    return data.decode("latin-1"), [note]


def _separator(text: str) -> str:
    """The separator that cuts the first lines into the most, and equally many, cells."""
    lines = [line for line in text[:65536].splitlines()[:20] if line.strip()]

    def fit(separator: str) -> tuple[bool, int]:
        counts = [_cells(line, separator) for line in lines[:-1] or lines]
        return counts[0] > 0 and min(counts) == max(counts), counts[0]

    return max(SEPARATORS, key=fit)


def _cells(line: str, separator: str) -> int:
    return sum(part.count(separator) for part in line.split('"')[::2])


def _without_row_numbers(frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    first = frame.columns[0]
    if str(first).startswith("Unnamed:") and frame.shape[1] > 1:
        numbers = frame[first]
        if pd.api.types.is_integer_dtype(numbers.dtype) and (numbers.diff().dropna() == 1).all():
            notes.append("the first column has no name and only numbers the rows; it is left out")
            return frame.drop(columns=first)
    return frame


def open_table(path: Path, how: Reading) -> Dataset:
    """A table file as a dataset."""
    frame, notes, line = read_table(path, how)
    dataset = from_frame(frame, how, path.name)
    dataset.notes[:0] = notes
    dataset.line = line
    return dataset


def from_frame(frame: pd.DataFrame, how: Reading, name: str = "table") -> Dataset:
    """A DataFrame as a dataset: columns typed, the target, group and time columns taken out."""
    frame = _named(frame, name)
    notes: list[str] = []
    targets = _targets(frame, how, name, notes)
    for column in [*targets, *how.drop, *(c for c in (how.group, how.time) if c)]:
        _known(frame, column, name)
    frame = without_words(frame, how.missing)
    frame, formats, guessed = typed(frame.drop(columns=[c for c in how.drop if c not in targets]))
    target = frame[targets] if targets else None
    task = tell_task(target, how.task) if target is not None else "none"
    group, time = _order(frame, how.group), _order(frame, how.time)
    inputs = frame.drop(columns=[*targets, *([how.group] if how.group else [])])
    if inputs.shape[1] == 0:
        raise DataError(f"{name} has no column left to learn from")
    if how.group:
        notes.append(f"the group column {how.group!r} is no input")
    formats = {c: f for c, f in formats.items() if c in inputs}
    shown = None if task == "none" or target is None else target.iloc[:, 0] if len(targets) == 1 else target
    return Dataset(
        name,
        "table",
        inputs,
        shown,
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
        raise DataError(f"{name} has column names of several levels; flatten them first")
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
