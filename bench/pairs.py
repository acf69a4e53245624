"""Two ways of doing the same, timed in alternation: machines drift, ratios of neighbours do not."""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles


@dataclass(frozen=True)
class Ratio:
    """Ours over theirs, pair by pair."""

    name: str
    ratios: tuple[float, ...]
    ours: float  # median seconds
    theirs: float

    def __str__(self) -> str:
        low, _, high = quantiles(self.ratios, n=4)
        times = f"{self.ours * 1000:.0f} ms against {self.theirs * 1000:.0f} ms"
        spread = f"quartiles {low:.3f} to {high:.3f}, {len(self.ratios)} pairs"
        return f"{self.name}: ratio {median(self.ratios):.3f} ({spread}; {times})"


def timed(work: Callable[[], object]) -> float:
    """Seconds that one call takes; the collector waits until it is over."""
    gc.collect()
    gc.disable()
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    gc.enable()
    return seconds


def pairs(name: str, ours: Callable[[], object], theirs: Callable[[], object], count: int = 15) -> Ratio:
    """Time both `count` times in alternation, after one warm-up each; who goes first alternates too."""
    ours(), theirs()
    mine, other = [], []
    for k in range(count):
        for work, times in ((ours, mine), (theirs, other)) if k % 2 else ((theirs, other), (ours, mine)):
            times.append(timed(work))
    return Ratio(name, tuple(a / b for a, b in zip(mine, other)), median(mine), median(other))
