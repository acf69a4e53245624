"""What steps told since the last line of the record, and whether a loss runs away."""

from typing import Any

import torch
from torch import Tensor

from .guard import CURE

RUNAWAY = 1000.0  # how many times its first value a loss may reach before the user is told


class Meters:
    """Values by name, kept as tensors on their device until somebody asks for their means."""

    def __init__(self) -> None:
        self.pending: dict[str, list[Tensor]] = {}
        self.first: dict[str, float] = {}  # each loss at its first step: what it is judged against
        self.diverged = ""

    def note(self, name: str, value: Tensor) -> None:
        """One step's value."""
        self.pending.setdefault(name, []).append(value)

    def means(self) -> dict[str, Any]:
        """Each name's mean since the last call."""
        if not self.pending:
            return {}
        found = torch.stack([torch.stack(values).cpu().double().mean() for values in self.pending.values()])
        means = dict(zip(self.pending, found.tolist(), strict=True))
        self.pending = {}
        return means

    def runs_away(self, means: dict[str, Any], step: int) -> str:
        """Words, said once, for a loss that runs away; it is finite, so the guard has nothing to stop."""
        for name, first in self.first.items():
            if abs(means.get(name, 0.0)) > RUNAWAY * max(abs(first), 1.0) and not self.diverged:
                self.diverged = (
                    f"the {name} is {means[name]:.3g} at step {step}, {first:.3g} at the first step: "
                    f"training diverges. {CURE}"
                )
                return self.diverged
        return ""

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        pending = {name: torch.stack(values) for name, values in self.pending.items()}
        return {"pending": pending, "first": self.first, "diverged": self.diverged}

    def load(self, state: dict[str, Any], device: torch.device) -> None:
        """Back from `state`."""
        self.first, self.diverged = dict(state["first"]), state["diverged"]
        self.pending = {name: list(v.to(device).unbind()) for name, v in state["pending"].items()}
