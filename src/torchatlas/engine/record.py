"""The record of a run: one JSON object a line, the same for the same recipe, clock fields aside."""

import json
import os
import time
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from .checkpoint import replace_durably, unwritable
from .errors import AtlasError

SUM = "crc"  # where a line holds the checksum of its other fields, clock aside


@dataclass(frozen=True)
class Event:
    """Something that happened in a run: "start", "train", "valid", "checkpoint", "note" or "end"."""

    kind: str
    step: int
    epoch: float
    values: dict[str, Any] = field(default_factory=dict)


Listener = Callable[[Event], None]


class Record:
    """Writes "train" and "valid" events to `record.jsonl`, and takes back what a resume repeats."""

    def __init__(self, path: Path):
        self.path, self.lines = path, 0
        self.file: IO[bytes] | None = None

    def rewind(self, lines: int = 0) -> None:
        """Start, or go on after the first `lines` lines: what follows them will be written again."""
        self.close()
        try:
            written = self.path.read_bytes().splitlines(keepends=True) if lines and self.path.exists() else []
            kept = [line for line in written[:lines] if _read(line) is not None]
            replace_durably(self.path, b"".join(kept))
        except OSError as error:
            raise AtlasError(unwritable(self.path, error)) from error
        self.lines = len(kept)
        if len(kept) < lines:
            lost = f"{lines - len(kept)} earlier lines of this record were lost"
            warnings.warn(f"{self.path}: {lost}", stacklevel=2)
            self.write({"kind": "note", "message": lost})

    def __call__(self, event: Event) -> None:
        if event.kind in ("train", "valid"):
            self.write(
                {"kind": event.kind, "step": event.step, "epoch": round(event.epoch, 4), **event.values}
            )

    def write(self, line: dict[str, Any]) -> None:
        """One line, with the clock beside it."""
        content = json.dumps({**line, "clock": round(time.time(), 3), SUM: _sum_of(line)}).encode() + b"\n"
        try:
            if self.file is None:  # without a buffer, so that nothing is left to fail when it is closed
                self.file = open(self.path, "ab", buffering=0)  # noqa: SIM115 (open for the run's length)
            while content:
                content = content[self.file.write(content) :]
        except OSError as error:
            raise AtlasError(unwritable(self.path, error)) from error
        self.lines += 1

    def sync(self) -> None:
        """Wait until the disk has every line."""
        try:
            if self.file is not None:
                os.fsync(self.file.fileno())
        except OSError as error:
            raise AtlasError(unwritable(self.path, error)) from error

    def close(self) -> None:
        """Close the file; a later line opens it again."""
        if self.file is not None:
            self.file.close()
            self.file = None


def read_record(path: Path) -> list[dict[str, Any]]:
    """The record's lines. A last line that a kill cut short is left out; damaged ones too, with a warning."""
    texts = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    lines = [_read(text) for text in texts]
    if texts and not texts[-1].endswith(b"\n") and lines[-1] is None:
        lines.pop()
    if damaged := [str(k) for k, line in enumerate(lines, 1) if line is None]:
        where = f"line {damaged[0]}" if len(damaged) == 1 else f"{len(damaged)} lines from {damaged[0]} on"
        warnings.warn(f"{path} is damaged: {where} left out", stacklevel=2)
    return [line for line in lines if line is not None]


def _read(text: bytes) -> dict[str, Any] | None:
    """A line as it was written, without its checksum; None where it is damaged."""
    try:
        line = json.loads(text)
        told = line.pop(SUM, None)
        if told is None:  # an earlier torchatlas ended its lines with the clock
            return line if "kind" in line and [*line][-1] == "clock" else None
        return line if told == _sum_of({k: v for k, v in line.items() if k != "clock"}) else None
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None


def _sum_of(line: dict[str, Any]) -> str:
    return f"{zlib.crc32(json.dumps(line).encode()):08x}"
