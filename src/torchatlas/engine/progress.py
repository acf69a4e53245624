"""How a run is shown while it goes on: a bar on a terminal, plain lines elsewhere, or JSON."""

import json
import sys
import time
from typing import IO, Any

from .loop import ENDLESS
from .record import Event


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _words(values: dict[str, Any]) -> str:
    return "  ".join(f"{name} {_number(value)}" for name, value in values.items() if name != "best")


class PlainProgress:
    """One line per validation (or per record line where there is none), at most one a second, and notes."""

    def __init__(self, out: IO[str] | None = None, name: str = ""):
        self.out, self.name = out or sys.stderr, f"{name}: " if name else ""
        self.steps, self.last, self.trained = 0, 0.0, ""

    def __call__(self, event: Event) -> None:
        if event.kind == "start":
            self.steps = event.values["steps"]
        elif event.kind == "note":
            print(f"{self.name}{event.values['message']}", file=self.out, flush=True)
        elif event.kind == "end":
            print(
                f"{self.name}done after {event.step} steps, {event.values['seconds']} s",
                file=self.out,
                flush=True,
            )
        elif event.kind in ("train", "valid"):
            self._line(event)

    def _line(self, event: Event) -> None:
        if event.kind == "train":
            self.trained = _words(event.values)
        now = time.monotonic()
        if now - self.last >= 1:
            self.last = now
            valid = f"  | valid {_words(event.values)}" if event.kind == "valid" else ""
            of = f"/{self.steps}" if self.steps < ENDLESS else ""
            where = f"epoch {event.epoch:.1f}, step {event.step}{of}"
            print(f"{self.name}{where}  {self.trained}{valid}", file=self.out, flush=True)


class TerminalProgress:
    """A progress bar with the last losses and scores beside it."""

    def __init__(self, name: str = ""):
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = ("{task.description}", BarColumn(), "{task.percentage:>3.0f}%", TimeRemainingColumn())
        self.bar = Progress(*columns, TextColumn("{task.fields[words]}"), console=Console(stderr=True))
        self.task = self.bar.add_task(name, words="")
        self.trained = self.valid = ""

    def __call__(self, event: Event) -> None:
        if event.kind == "start":
            self.bar.start()
            total = event.values["steps"] if event.values["steps"] < ENDLESS else None
            self.bar.update(self.task, total=total, completed=event.step)
        elif event.kind == "train":
            self.trained = _words(event.values)
        elif event.kind == "valid":
            self.valid = f"| valid {_words(event.values)}"
        elif event.kind == "note":
            self.bar.console.print(event.values["message"])
        self.bar.update(self.task, completed=event.step, words=f"{self.trained} {self.valid}")
        if event.kind == "end":
            self.bar.stop()


class JsonProgress:
    """Each event as one JSON object a line."""

    def __init__(self, out: IO[str] | None = None):
        self.out = out or sys.stdout

    def __call__(self, event: Event) -> None:
        line = {"event": event.kind, "step": event.step, "epoch": round(event.epoch, 4), **event.values}
        print(json.dumps(line), file=self.out, flush=True)


class TensorBoard:
    """Scalars for TensorBoard (extra `track`), in a folder of their own."""

    def __init__(self, folder: str):
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(folder)

    def __call__(self, event: Event) -> None:
        if event.kind in ("train", "valid"):
            for name, value in event.values.items():
                if isinstance(value, float):
                    self.writer.add_scalar(f"{event.kind}/{name}", value, event.step)
        elif event.kind == "end":
            self.writer.close()
