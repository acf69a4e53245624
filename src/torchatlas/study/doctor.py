"""The doctor: what is installed, which devices there are, and what is wrong with the data."""

from dataclasses import dataclass, field
from typing import Any

from .. import data as sources
from ..engine.environment import environment, pick_device
from ..engine.errors import AtlasError


@dataclass
class Findings:
    """What the doctor found; `failed` where training on this data would be refused."""

    environment: dict[str, Any]
    device: str
    data: str | None = None
    notes: list[str] = field(default_factory=list)  # what the reader did: resized, guessed, took a subset
    findings: list[Any] = field(default_factory=list)  # data.Finding: severity and message

    @property
    def failed(self) -> bool:
        """Whether anything is an error."""
        return any(f.severity == "error" for f in self.findings)

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        found = [{"severity": f.severity, "message": f.message} for f in self.findings]
        return {
            "environment": self.environment,
            "device": self.device,
            "data": self.data,
            "notes": self.notes,
            "findings": found,
        }

    def text(self) -> str:
        """As lines for a terminal."""
        versions = ", ".join(f"{name} {number}" for name, number in self.environment["versions"].items())
        machine = (
            f"{self.environment['cores']} cores, {self.environment['threads']} threads, device {self.device}"
        )
        lines = [versions, machine]
        if self.data is not None:
            lines += [f"data: {self.data}", *(f"note: {note}" for note in self.notes)]
            lines += [*(f"{f.severity}: {f.message}" for f in self.findings)]
            lines += (
                ["nothing is wrong with it"] if not any(f.severity != "note" for f in self.findings) else []
            )
        return "\n".join(lines)


def doctor(data: Any = None, **options: Any) -> Findings:
    """Look through the environment and, where given, the data; nothing is trained."""
    found = Findings(environment(), str(pick_device()))
    if data is None:
        return found
    try:
        dataset = sources.open_dataset(data, **options)
        found.data = f"{dataset.name}: {len(dataset):,} rows, {dataset.task}"
        found.notes = list(dataset.notes)
        found.findings = list(sources.check(dataset))
    except AtlasError as error:
        found.data = str(data)
        found.findings = [sources.Finding("error", str(error))]
    return found
