"""How a source is to be read, and how to say that a name is wrong."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from ..engine.errors import DataError, UsageError


@dataclass(frozen=True)
class Reading:
    """What the user says of a source; every reader takes the words that concern it."""

    target: str | Sequence[str] | None = None
    task: str | None = None
    group: str | None = None
    time: str | None = None
    drop: Sequence[str] = ()
    skip_broken: bool = False  # images: leave unreadable files out instead of refusing the folder
    size: tuple[int, int] | None = None  # images: (height, width) to resize to while reading
    stream: bool | None = None  # images: whether they stay in their files; None where they are too many
    separator: str | None = None
    encoding: str | None = None
    missing: Sequence[str] = ()  # further words that mean "no value"; with "" those said are the only ones

    @property
    def targets(self) -> list[str]:
        """The names of the target columns, as a list."""
        if self.target is None:
            return []
        names = [self.target] if isinstance(self.target, str) else [str(name) for name in self.target]
        return list(dict.fromkeys(names))

    def refuse_columns(self, name: str, why: str, *, target: bool = False) -> None:
        """Raise a UsageError where a column is said of data that has none."""
        said = {"target": self.target if target else None, "group": self.group, "time": self.time}
        words = [word for word, value in {**said, "drop": self.drop or None}.items() if value is not None]
        if words:
            raise UsageError(f"{name} {why}; leave out {listed(words)}")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of an error message: the names that are near, or nothing."""
    near = get_close_matches(name.lower(), {k.lower(): k for k in known}, n=3, cutoff=0.6)
    names = {k.lower(): k for k in known}
    return f"; did you mean {' or '.join(repr(names[n]) for n in near)}?" if near else ""


def listed(names: Iterable[object], most: int = 10) -> str:
    """Names with commas, the first few of many."""
    every = [str(name) for name in names]
    more = f" and {len(every) - most:,} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def shown(value: object) -> str:
    """A cell as one would write it: 'text' in quotes, numbers and dates without the names of their types."""
    value = value.item() if isinstance(value, np.generic) else value
    return str(value) if isinstance(value, date) else repr(value)


def read_bytes(path: Path) -> bytes:
    """A file's bytes; a missing or forbidden file is a DataError that says what is there instead."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(missing_path(path)) from None
    except IsADirectoryError:
        raise DataError(f"{path} is a folder, not a file; for images say folder:{path}") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; check its permissions") from None


def missing_path(path: Path) -> str:
    """The message for a path that is not there."""
    parent = path.parent
    names = [p.name for p in parent.iterdir()] if parent.is_dir() else []
    where = "" if parent.is_dir() else f" (there is no folder {parent} either)"
    return f"there is no file or folder {path}{where}{did_you_mean(path.name, names)}"
