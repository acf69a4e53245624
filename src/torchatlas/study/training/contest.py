"""A contest of numerics: ways to compute a step meet in interleaved pairs; the fastest honest one wins.

All are judged by float32 in eager mode: from the same weights, batches and noise, the mean loss of the first
steps (`PROOF` to `CHECKED`) may differ from its by `MEAN`, each single loss by `STEP` of that mean. bfloat16
was seen to move the mean by 0.15 % at most and single losses by 1 % (an MLP, lenet5, resnet20_cifar, gpt and
lstm at their usual batches; the mean by 1 % in conv4 at a batch of 16), so the tolerance tells rounding from
another course of learning.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import mean, median
from typing import Any, Protocol

from ...engine.numerics import EXACT, Numerics

SHARE = 0.05  # of the expected run that trying may take
LEAST = 1.0  # seconds: nothing is tried within a smaller budget
LOOK = 4  # steps of float32 that tell how long the run is
BLOCK, LONGEST = 0.02, 0.3  # seconds that are timed at once
ROUNDS = 7  # pairs of blocks, at most
CLEARLY = 1.1  # times as slow in each of two pairs: not tried on
HOPELESS = 5.0  # times as slow in one
CLOSE, FINALISTS, FINAL_ROUNDS = 1.2, 4, 30  # how near to the fastest, how many, how often: once more
MARGIN = 0.03  # of the time, to be saved by what replaces float32, rounds more coarsely or is compiled
PROOF, CHECKED = 8, 20  # steps whose losses are compared, at least and at most
MEAN, STEP = 0.02, 0.05

Losses = Mapping[str, Sequence[float]]  # by name, those of each step


class Steps(Protocol):
    """What is tried: it makes steps, and keeps the losses of each."""

    @property
    def losses(self) -> Losses:
        """The losses so far."""
        ...

    def run(self, count: int) -> float:
        """Make so many steps; the seconds that they took."""
        ...


@dataclass(eq=False)
class Candidate:
    """A way to compute a step, and what was seen of it."""

    numerics: Numerics
    steps: Steps | None = None
    ratio: float = math.nan  # of its time to float32's
    mean: float = math.nan  # the relative difference of the mean loss from float32's
    step: float = math.nan  # the largest of a single loss
    compiling: float = 0.0  # seconds
    told: str = ""

    @property
    def price(self) -> int:
        """What it asks for besides time: coarser rounding, and to be compiled anew in each process."""
        return (self.numerics.bfloat16 or self.numerics.tf32) + self.numerics.compiled

    @property
    def follows(self) -> bool:
        """Whether its losses keep to the tolerance."""
        return self.step <= STEP and abs(self.mean) <= MEAN

    def row(self, exact: float) -> dict[str, Any]:
        """Plain values for a table."""
        numbers = {
            "ms": 1000 * exact * self.ratio,
            "times_as_fast": 1 / self.ratio,
            "loss_differs": self.mean,
        }
        known = {key: float(f"{value:.4g}") for key, value in numbers.items() if not math.isnan(value)}
        return {"numerics": str(self.numerics), **known, "told": self.told}


@dataclass
class Grid:
    """What there is to try."""

    eager: Sequence[Numerics] = ()  # the most promising first
    unfused: bool = False  # whether the optimizer has a fused kernel to leave out
    compiles: bool = False
    compiling: float = 0.0  # seconds that this is thought to take
    shapes: int = 1  # of batches: each is compiled for itself
    most: float = math.inf  # seconds that trying may take, however long the run


@dataclass
class Contest:
    """Candidates meet the fastest so far, one after another, in interleaved pairs of blocks of steps.

    `rehearse` makes the steps of a candidate; `total` and `seconds` are the run's length, whichever is less.
    All that trying costs counts against the budget, and what it does not reach is not tried, and told so.
    `tell` is told how long it may take.
    """

    rehearse: Callable[[Numerics], Steps]
    total: int
    seconds: float = math.inf
    tell: Callable[[str], None] = lambda words: None
    clock: Callable[[], float] = time.perf_counter
    exact: Candidate = field(default_factory=lambda: Candidate(EXACT, ratio=1.0, mean=0.0, step=0.0))
    rows: list[Candidate] = field(default_factory=list)

    def run(self, grid: Grid) -> Candidate:
        """The winner. Raises what a step of float32 raises."""
        self.began, self.rows = self.clock(), [self.exact]
        self.exact.steps = self.rehearse(EXACT)
        self.exact.steps.run(1)
        self.step = min(self.exact.steps.run(1) for _ in range(LOOK - 1))
        self.expected = min(self.total * self.step, self.seconds)
        self.budget = min(SHARE * self.expected, grid.most)
        if self.is_short:
            return self.exact
        self.tell(
            f"measuring how to compute the steps fastest, for {self.budget:.0f} s at most of about "
            f"{self.expected / 60:.1f} min (numerics=exact leaves it out)"
        )
        best = self.exact
        for numerics in grid.eager:
            best = self.meet(best, Candidate(numerics))
        if grid.unfused:
            best = self.meet(best, Candidate(replace(best.numerics, fused=False)))
        if grid.compiles:
            best = self._compiled(best, grid)
        return self._finals(best, grid)

    @property
    def is_short(self) -> bool:
        """Whether the run leaves no time to try anything."""
        return self.budget < LEAST

    @property
    def block(self) -> float:
        """Seconds that are timed at once."""
        return max(BLOCK, min(LONGEST, self.budget / 2000))

    @property
    def left(self) -> float:
        """Seconds of the budget."""
        return self.budget - (self.clock() - self.began)

    def meet(self, best: Candidate, rival: Candidate, shapes: int = 0) -> Candidate:
        """The better of the two. A rival that is compiled first must win that time back, for each shape."""
        self.rows.append(rival)
        pace = self.step * best.ratio
        if self.left < rival.compiling + PROOF * (pace + self.step):
            rival.told = "not tried: " + (_dear(rival, self.left) if shapes else "no time was left")
            return best
        try:
            rival.steps = self.rehearse(rival.numerics)
            first = rival.steps.run(1)
            if not shapes and self.left < first:
                rival.told, rival.steps = "its first step took all the time that was left", None
                return best
            rival.compiling = first if shapes else 0.0
            ratio = self._raced(best, rival)
        except Exception as error:  # whatever a candidate cannot do, the run does without it
            rival.told, rival.steps = f"failed: {first_line(error)}", None
            return best
        burden = shapes * rival.compiling / (self.expected * best.ratio)
        lead = MARGIN * max(-1, min(1, rival.price - best.price))
        if ratio + burden < 1 - lead and rival.follows:
            best.steps = best.steps if best is self.exact else None
            return rival
        if shapes and ratio < 1 - lead:
            rival.told = "not so much faster that it pays for compiling"
        rival.steps = None
        return best

    def _raced(self, best: Candidate, rival: Candidate) -> float:
        """The rival's time over the best's, the median of pairs (few if it is clear); losses are compared."""
        assert rival.steps is not None
        ratios: list[float] = []
        for ratio in self._pairs(best, rival):
            ratios.append(ratio)
            self._compare(rival)
            clear = min(ratios) > CLEARLY if len(ratios) == 2 else max(ratios) < 1 / CLEARLY
            if rival.step > STEP or ratio > HOPELESS or (clear and len(ratios) > 1):
                break
        found = median(ratios)
        rival.ratio = best.ratio * found
        if found < 1 and rival.step <= STEP:  # it may win: its losses must be known for long enough
            self._prove(rival, PROOF)
        return found

    def _pairs(self, one: Candidate, other: Candidate) -> Iterator[float]:
        """The ratios of the other's time to the one's, block by block; who goes first alternates."""
        assert one.steps is not None and other.steps is not None
        count, pace = self._count(one, self.block), 2 * self.step * one.ratio
        for k in range(ROUNDS):
            if k and self.left < count * pace:
                return
            first, second = (one, other) if k % 2 else (other, one)
            seconds = {id(each): each.steps.run(count) for each in (first, second) if each.steps}
            yield seconds[id(other)] / seconds[id(one)]

    def _prove(self, rival: Candidate, steps: int) -> None:
        """Compare the losses of so many steps."""
        for each in (self.exact, rival):
            assert each.steps is not None
            made = min(map(len, each.steps.losses.values()), default=steps)
            if made < steps:
                each.steps.run(steps - made)
        self._compare(rival)

    def _compare(self, rival: Candidate) -> None:
        assert self.exact.steps is not None and rival.steps is not None
        rival.mean, rival.step = differences(self.exact.steps.losses, rival.steps.losses)

    def _compiled(self, best: Candidate, grid: Grid) -> Candidate:
        """The two best ways, compiled: what is best in eager mode need not be so here."""
        ways: list[Numerics] = []
        for each in sorted(self.rows, key=lambda each: (math.isnan(each.ratio), each.ratio)):
            way = replace(each.numerics, threads=best.numerics.threads, fused=best.numerics.fused)
            if each.follows and way not in ways:
                ways.append(way)
        cost = grid.compiling
        for way in ways[:2]:
            rival = Candidate(replace(way, compiled=True), compiling=cost)
            best = self.meet(best, rival, grid.shapes)
            cost = rival.compiling or cost
        return best

    def _finals(self, best: Candidate, grid: Grid) -> Candidate:
        """The fastest few beside float32 once more, in rounds of longer blocks: the winner."""
        lot = [best] if best is not self.exact else []
        for each in sorted(self.rows, key=lambda each: (math.isnan(each.ratio), each.ratio)):
            near = each.ratio <= CLOSE * best.ratio and each.follows and not each.told
            if near and each not in (best, self.exact) and len(lot) < FINALISTS and self._returns(each, lot):
                lot.append(each)
        for each, ratio in zip(lot, self._rounds(lot)):
            each.ratio = ratio
            self._prove(each, CHECKED if self.left > CHECKED * self.step else PROOF)
        costs = {each: self._cost(each, grid) for each in lot if each.follows}
        won = min(costs, key=costs.__getitem__, default=self.exact)
        won = won if won.ratio + self._compiling(won, grid) < 1 - MARGIN else self.exact
        for each in self.rows:
            each.told = each.told or _told(each.ratio / won.ratio)
            each.told = each.told if each.follows or math.isnan(each.step) else "its loss differs"
        won.told = "chosen"
        return won

    def _returns(self, each: Candidate, lot: list[Candidate]) -> bool:
        """Make a loser's steps anew for the finals, where time for that is left."""
        paces = [self.step * other.ratio for other in (self.exact, each, *lot)]
        if self.left < PROOF * sum(paces) + each.compiling / 2:  # PyTorch remembers most of it
            return False
        each.steps = self.rehearse(each.numerics)
        each.steps.run(1)
        return True

    def _rounds(self, lot: list[Candidate]) -> list[float]:
        """Each one's time over float32's: the median over interleaved rounds, each begun by another."""
        everyone = [self.exact, *lot]
        block = min(max(self.left / (FINAL_ROUNDS * len(everyone)), self.block), LONGEST)
        counts = [self._count(each, block) for each in everyone]
        round_ = sum(count * self.step * each.ratio for count, each in zip(counts, everyone))
        times: list[list[float]] = [[] for _ in everyone]
        for k in range(FINAL_ROUNDS):
            if k and self.left < round_:
                break
            for n in (*range(k % len(everyone), len(everyone)), *range(k % len(everyone))):
                steps = everyone[n].steps
                assert steps is not None
                times[n].append(steps.run(counts[n]) / counts[n])
        return [median(a / b for a, b in zip(mine, times[0])) for mine in times[1:]]

    def _count(self, each: Candidate, block: float) -> int:
        """How many steps fill a block."""
        return max(1, min(math.ceil(block / (self.step * each.ratio)), self.total // 200))

    def _cost(self, each: Candidate, grid: Grid) -> float:
        """Its time over float32's, with what its price must be worth and what compiling takes in the run."""
        return each.ratio * (1 + MARGIN * min(1, each.price)) + self._compiling(each, grid)

    def _compiling(self, each: Candidate, grid: Grid) -> float:
        return grid.shapes * each.compiling / self.expected if each.numerics.compiled else 0.0


def _told(ratio: float) -> str:
    """Why a candidate lost whose time was so much of the winner's."""
    if ratio >= 1:
        return "slower"
    return "hardly faster" if ratio > 1 / CLOSE else "faster for a while: the machine's load changed"


def _dear(rival: Candidate, left: float) -> str:
    return f"compiling takes about {rival.compiling:.0f} s, and {max(left, 0):.0f} s were left"


def first_line(error: Exception) -> str:
    """What went wrong, in short."""
    return (str(error).partition("\n")[0] or type(error).__name__)[:200]


def differences(exact: Losses, other: Losses) -> tuple[float, float]:
    """How far losses are from float32's: their mean, and the farthest single one, in shares of its mean loss.

    Of several losses, those of the worst. The steps that both have made count, at most `CHECKED`. A loss that
    is not finite is infinitely far. Raises ValueError where nothing can be compared.
    """
    means, steps = [], []
    for name, theirs in exact.items():
        pairs = list(zip(theirs[:CHECKED], other.get(name, ())))
        if not pairs:  # of a player whose turn did not come yet
            continue
        gaps = [b - a for a, b in pairs]
        size = max(mean(abs(a) for a, _ in pairs), 1e-12)
        if not all(map(math.isfinite, gaps)):
            return math.inf, math.inf
        means.append(mean(gaps) / size)
        steps.append(max(map(abs, gaps)) / size)
    if not means:
        raise ValueError("there is no loss to compare")
    return max(means, key=abs), max(steps)
