"""CSV and its kin: separator and encoding seen from the text, and all that is odd in it said."""

import gzip
import io
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..engine.errors import DataError, UsageError
from .columns import is_text, without_commas
from .formats import refuse_format
from .reading import Reading, listed, read_bytes

SEPARATORS = (",", ";", "\t", "|")
SPOKEN = {"\\t": "\t", "tab": "\t", "space": " ", "spaces": "\\s+", "\\s+": "\\s+"}


@dataclass
class Table:
    """A file's table as it is, with what must be said of it."""

    frame: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    line: int | None = None  # the line of row 0; None where rows are not lines
    emptied: dict[str, Counter[str]] = field(
        default_factory=dict
    )  # words of a column that were read as empty


def read_csv(path: Path, how: Reading) -> Table:
    """A text file as a table; separator and encoding are seen from the text, or said."""
    text, notes = _decode(path, how.encoding)
    if not text.strip():
        raise DataError(f"{path} is empty; it must have a line of column names and one line per row")
    separator = _said(how.separator) or _separator(text)
    said_only = "" in how.missing
    options: dict[str, Any] = {"sep": separator, "skipinitialspace": True}
    words = {"na_values": list(how.missing) or None, "keep_default_na": not said_only}
    frame = _parsed(path, text, {**options, **words, "low_memory": False})
    if not isinstance(frame.index, pd.RangeIndex):
        raise DataError(f"{path} has rows with more cells than the line of column names; name every column")
    if frame.empty:
        raise DataError(f"{path} has column names but no rows")
    notes += _odd_names(path, text, frame, options)
    emptied = {} if said_only else _emptied(text, frame, options, how)
    for name in frame.columns:
        frame[name] = without_commas(_stripped(frame[name], notes), decimal=separator != ",")
    lines = text.rstrip().count("\n") + 1
    frame = _without_row_numbers(frame, notes)
    return Table(frame, notes, 2 if lines == len(frame) + 1 else None, emptied)


def _said(separator: str | None) -> str | None:
    separator = SPOKEN.get(separator or "", separator)
    if separator and len(separator) > 1 and separator != "\\s+":
        raise UsageError(f"separator={separator!r} must be one character, or one of tab, space and spaces")
    return separator


def _parsed(path: Path, text: str, options: dict[str, Any]) -> pd.DataFrame:
    try:
        return pd.read_csv(io.StringIO(text), **options)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        shown = {"\t": "tab"}.get(options["sep"], options["sep"])
        raise DataError(
            f"{path} cannot be read as a table with the separator {shown!r}: {str(error).strip()}; "
            "mend that line, or say separator=..."
        ) from None


def _odd_names(path: Path, text: str, frame: pd.DataFrame, options: dict[str, Any]) -> list[str]:
    """Notes on the line of column names; names that stand there twice are refused."""
    row = pd.read_csv(io.StringIO(text), **options, header=None, nrows=1, dtype=str, keep_default_na=False)
    names = [str(name).strip() for name in row.iloc[0]]
    double = [name for name, count in Counter(names).items() if count > 1 and name]
    numbers = pd.to_numeric(pd.Series(names), errors="coerce").notna().sum()
    if double:
        cure = "write a line of names above it" if numbers else "rename them"
        raise DataError(
            f"the first line of {path} has more than one column called {listed(map(repr, double))}; {cure}"
        )
    notes = []
    if numbers > len(names) / 2:
        notes.append(
            f"the first line is taken as the names of the columns, but holds numbers ({listed(names, 4)}): "
            "write a line of names above it if it is a row"
        )
    bare = [i for i, name in enumerate(names) if i > 0 and not name and frame.iloc[:, i].notna().any()]
    if bare:
        called = listed(repr(frame.columns[i]) for i in bare)
        notes.append(f"columns without a name are called {called}")
    return notes


def _emptied(
    text: str, frame: pd.DataFrame, options: dict[str, Any], how: Reading
) -> dict[str, Counter[str]]:
    """Per column of words, or target, the words that pandas takes for empty cells though nobody said so."""
    targets = set(how.targets)
    suspects = [
        i
        for i, name in enumerate(frame.columns)
        if frame[name].isna().any() and (is_text(frame[name]) or frame[name].isna().all() or name in targets)
    ]
    if not suspects:
        return {}
    raw = pd.read_csv(io.StringIO(text), **options, usecols=suspects, dtype=str, keep_default_na=False)
    found = {}
    for i, name in zip(suspects, raw.columns, strict=True):
        words = raw[name][frame.iloc[:, i].isna().to_numpy()].str.strip()
        counts = Counter(word for word in words if word and word not in how.missing)
        if counts:
            found[str(frame.columns[i]).strip()] = counts
    return found


def _stripped(column: pd.Series, notes: list[str]) -> pd.Series:
    """Words without the spaces around them, so that "a" and "a " are one."""
    if not is_text(column):
        return column
    bare = column.map(lambda cell: cell.strip() if isinstance(cell, str) else cell)
    changed = (bare != column) & column.notna()
    if changed.any():
        notes.append(f"spaces around the words of column {str(column.name).strip()!r} are left out")
    return bare.mask(bare == "", np.nan) if changed.any() else column


def _decode(path: Path, encoding: str | None) -> tuple[str, list[str]]:
    data = read_bytes(path)
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError) as error:
            raise DataError(f"{path} is damaged: {error}; get the file again") from None
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = encoding or "utf-16"
    if b"\0" in data[:1000] and encoding is None:
        raise DataError(refuse_format(path, data, "no text file", "say encoding=utf-16 if it is text"))
    try:
        return data.decode(encoding or "utf-8-sig"), []
    except LookupError:
        raise DataError(f"there is no encoding {encoding!r}; try utf-8, latin-1 or cp1252") from None
    except UnicodeDecodeError as error:
        if encoding:
            raise DataError(f"{path} is not {encoding}: {error.reason} at byte {error.start}") from None
    message = refuse_format(path, data, "no text file")
    if "it looks like" in message:
        raise DataError(message)
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
