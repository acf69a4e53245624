"""How a source is to be read, and how to say that a name is wrong."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from ..engine.errors import DataError


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
    separator: str | None = None
    encoding: str | None = None
    missing: Sequence[str] = ()  # CSV: further words that mean "no value", such as "?"

    @property
    def targets(self) -> list[str]:
        """The names of the target columns, as a list."""
        if self.target is None:
            return []
        return [self.target] if isinstance(self.target, str) else [str(name) for name in self.target]


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
