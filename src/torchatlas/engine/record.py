"""The record of a run: one JSON object a line, the same for the same recipe, clock fields aside."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from .checkpoint import replace_durably, unwritable
from .errors import AtlasError


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
        self.file: IO[str] | None = None

    def rewind(self, lines: int = 0) -> None:
        """Start, or go on after the first `lines` lines: what follows them will be written again."""
        try:
            kept = (
                self.path.read_text().splitlines(keepends=True)[:lines]
                if lines and self.path.exists()
                else []
            )
            replace_durably(self.path, "".join(kept).encode())
        except OSError as error:
            raise AtlasError(unwritable(self.path, error)) from error
        self.lines = len(kept)
        if len(kept) < lines:
            self.write(
                {"kind": "note", "message": f"{lines - len(kept)} earlier lines of this record were lost"}
            )

    def __call__(self, event: Event) -> None:
        if event.kind in ("train", "valid"):
            self.write(
                {"kind": event.kind, "step": event.step, "epoch": round(event.epoch, 4), **event.values}
            )

    def write(self, line: dict[str, Any]) -> None:
        """One line, with the clock beside it."""
        try:
            if self.file is None:
                self.file = open(self.path, "a")  # noqa: SIM115 (open for the length of the run)
            self.file.write(json.dumps({**line, "clock": round(time.time(), 3)}) + "\n")
            self.file.flush()
        except OSError as error:
            raise AtlasError(unwritable(self.path, error)) from error
        self.lines += 1

    def close(self) -> None:
        """Close the file; a later line opens it again."""
        if self.file is not None:
            self.file.close()
            self.file = None


def read_record(path: Path) -> list[dict[str, Any]]:
    """The record's lines; a last line that a kill cut short is left out."""
    lines = []
    for text in path.read_text().splitlines() if path.exists() else []:
        try:
            lines.append(json.loads(text))
        except ValueError:
            break
    return lines
