"""A comparison while it runs: a live table on a terminal, plain lines or JSON elsewhere."""

import json
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..training.run import RECORD

Watched = list[tuple[str, int, Path]]  # label, seed, run folder


class Show:
    """Tells of runs as they go on and end. `how`: "auto", "json" or "none"."""

    def __init__(self, how: str, runs: Watched):
        self.how = "live" if how == "auto" and sys.stderr.isatty() else "lines" if how == "auto" else how
        self.runs, self.states = runs, {(label, seed): "waiting" for label, seed, _ in runs}
        self._stop, self._live, self._count = threading.Event(), None, 0
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        if self.how == "live":
            from rich.console import Console
            from rich.live import Live

            live: Any = Live(self._table(), console=Console(stderr=True), refresh_per_second=4)
            live.start()
            self._live = live
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread is not None and self._live is not None:
            self._thread.join()
            self._live.update(self._table())
            self._live.stop()

    def ended(self, label: str, seed: int, error: str) -> None:
        """A run ended, well or not."""
        self._count += 1
        folder = next(path for name, s, path in self.runs if (name, s) == (label, seed))
        words = f"failed: {error}" if error else _score(folder)
        self.states[label, seed] = words if not error else "failed"
        if self.how == "lines" or (error and self.how == "live"):
            print(
                f"[{self._count}/{len(self.runs)}] {label}, seed {seed}: {words}", file=sys.stderr, flush=True
            )
        elif self.how == "json":
            line = {
                "event": "failed" if error else "run",
                "method": label,
                "seed": seed,
                "folder": str(folder),
            }
            print(json.dumps({**line, **({"error": error} if error else {})}), flush=True)

    def _watch(self) -> None:
        while not self._stop.wait(0.5):
            for label, seed, folder in self.runs:
                if not self.states[label, seed].startswith(("failed", "test")) and (
                    line := _last_line(folder)
                ):
                    self.states[label, seed] = f"epoch {line.get('epoch', 0):.0f}"
            if self._live is not None:
                self._live.update(self._table())

    def _table(self) -> Any:
        from rich.table import Table

        seeds = sorted({seed for _, seed, _ in self.runs})
        table = Table(
            "method", *(f"seed {seed}" for seed in seeds), title=f"{self._count} of {len(self.runs)} runs"
        )
        for label in dict.fromkeys(label for label, _, _ in self.runs):
            table.add_row(label, *(self.states.get((label, seed), "") for seed in seeds))
        return table


def _score(folder: Path) -> str:
    try:
        result = json.loads((folder / "result.json").read_text())
        name = result["metric"]
        return f"test {name} {result['scores'][name]:.4f}"
    except (OSError, ValueError, KeyError):
        return "test done"


def _last_line(folder: Path) -> dict[str, Any] | None:
    try:
        with open(folder / RECORD, "rb") as file:
            file.seek(max(0, file.seek(0, 2) - 4096))
            lines = file.read().splitlines()
        found: dict[str, Any] = json.loads(lines[-1])
        return found
    except (OSError, ValueError, IndexError):
        return None
