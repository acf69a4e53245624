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


def timed(work: Callable[[], object], collecting: bool = False) -> float:
    """Seconds that one call takes; the collector waits for its end, unless it is `collecting`."""
    gc.collect()
    if not collecting:
        gc.disable()
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    gc.enable()
    return seconds


def nothing() -> None:
    """What is done before a time where nothing need be."""


def pairs(
    name: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    count: int = 15,
    fresh: tuple[Callable[[], object], Callable[[], object]] = (nothing, nothing),
    collecting: bool = False,
) -> Ratio:
    """Time both `count` times in alternation, after one warm-up each; who goes first alternates too.

    fresh: what makes ours and theirs ready for each time, outside of it. collecting: see `timed`.
    """
    mine: list[float] = []
    other: list[float] = []
    sides = [(ours, fresh[0], mine), (theirs, fresh[1], other)]
    for k in range(count + 1):  # the first one warms up
        for work, ready, times in sides if k % 2 else sides[::-1]:
            ready()
            times.append(timed(work, collecting))
    del mine[0], other[0]
    return Ratio(name, tuple(a / b for a, b in zip(mine, other)), median(mine), median(other))
