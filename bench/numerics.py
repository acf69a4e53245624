"""The grid of numerics: every way to compute a step, timed in interleaved rounds, beside what auto chose.

`python -m bench numerics [NET ...] [--rounds N] [--minutes M] [--eager]`: for each net the steps per second
of each cell, auto's choice for a run of M minutes (60), its share of the best cell, and its multiple of
PyTorch's default (float32, NCHW, the optimizer's default kernels, all threads, in the same loop). The best of
many cells looks better than it is: the fastest few meet auto's choice and the default once more, twice as
often, and these times alone tell the share. `--only CELL ...` leaves out all other cells, `--chosen CELL`
takes auto's choice as known.
`--quality NET [--seeds N] [--epochs E] [--words W]`: runs by auto's choice (or W) and by float32, paired by
seed: their scores, the mean difference and its 95 % interval.
The data comes from $TORCHATLAS_DATA: MNIST, CIFAR-10, Tiny Shakespeare.
"""

import argparse
import gc
import math
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from statistics import median, quantiles, stdev
from typing import Any

import torch
from scipy import stats

from torchatlas import data as sources
from torchatlas.engine.loop import Loop
from torchatlas.engine.numerics import EXACT, Numerics
from torchatlas.study.training.choosing import Rehearsal, choose, told
from torchatlas.study.training.inputs import prepare
from torchatlas.study.training.loops import make_loop
from torchatlas.study.training.resolve import card_of, resolve
from torchatlas.study.training.train import train

NETS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "mlp": ("mlp", "mnist", {}),
    "lenet5": ("lenet5", "mnist", {}),
    "resnet20_cifar": ("resnet20_cifar", "cifar10", {"batch_size": 128}),
    "gpt": ("gpt", "tinyshakespeare", {}),
    "lstm": ("lstm", "tinyshakespeare", {}),
}
BLOCK = 0.2  # seconds, at least, that are timed at once
FINALISTS = 3  # fastest cells of the grid that are measured again
DEFAULT = Numerics(fused=False)  # PyTorch's own


@dataclass
class Net:
    """A net on its data, ready for any numerics."""

    name: str
    minutes: float = 60.0

    def __post_init__(self) -> None:
        method, self.data, words = NETS[self.name]
        self.card = card_of(method)
        self.recipe = resolve(method, self.data, {**words, "minutes": self.minutes})
        self.prepared = prepare(self.recipe, self.card, sources.open_dataset(self.data))

    def loop(self, numerics: Numerics = EXACT) -> Loop:
        """A loop at step 0, with nothing but its steps."""
        return make_loop(self.recipe, self.prepared, self.card, None, numerics=numerics)


def cells(loop: Loop, eager: bool) -> Iterator[Numerics]:
    """The full grid of the machine; without compiled cells if eager."""
    threads = (None, 1) if torch.get_num_threads() > 1 else (None,)
    layouts = (False, True) if any(p.ndim == 4 for p in loop.learner.parameters()) else (False,)
    compiled = (False,) if eager else (False, True)
    for cell in product(compiled, layouts, (False, True), (None, False), threads):
        compile_it, layout, bfloat16, fused, count = cell
        yield Numerics(layout, bfloat16, compiled=compile_it, fused=fused, threads=count)


Ready = dict[Numerics, tuple[Rehearsal, int]]  # steps of a cell, and how many fill a block
Times = dict[Numerics, list[float]]  # seconds a step, round by round


def made_ready(net: Net, numerics: Iterable[Numerics]) -> Ready:
    """Each cell compiled and warm."""
    threads, ready = torch.get_num_threads(), {}
    for cell in numerics:
        rehearsal = Rehearsal(net.loop(cell), cell.threads or threads)
        began = time.perf_counter()
        rehearsal.run(1)  # compiles
        if cell.compiled:
            print(f"  {cell}: first step {time.perf_counter() - began:.1f} s", flush=True)
        count = max(1, math.ceil(BLOCK / min(rehearsal.run(1) for _ in range(2))))
        ready[cell] = rehearsal, count
    torch.set_num_threads(threads)
    return ready


def timed(ready: Ready, rounds: int) -> Times:
    """Interleaved rounds, each begun by another cell."""
    threads, order = torch.get_num_threads(), list(ready)
    seconds: Times = {cell: [] for cell in order}
    for k in range(rounds):
        first = k % len(order)
        for cell in order[first:] + order[:first]:
            rehearsal, count = ready[cell]
            gc.collect()
            seconds[cell].append(rehearsal.run(count) / count)
    torch.set_num_threads(threads)
    return seconds


def ratio(one: list[float], other: list[float]) -> tuple[float, float, float]:
    """The other's time over the one's, round by round: median and quartiles."""
    low, middle, high = quantiles((b / a for a, b in zip(one, other)), n=4)
    return middle, low, high


def measure(name: str, rounds: int, minutes: float, eager: bool, only: list[str], known: str | None) -> None:
    """Print the grid of a net and auto's place in it."""
    net = Net(name, minutes)
    if known:
        auto = of_words(known)
    else:
        chosen, spent = choose(net.loop(), net.recipe, net.card, threads_free=True)
        auto = Numerics.of(chosen["numerics"])
        because = chosen["because"]
        print(f"{name}: auto took {spent:.1f} s of {60 * minutes:.0f} ({because}); {told(chosen)}")
        for row in chosen.get("clock", {}).get("table", ()):
            print("  tried:", "  ".join(f"{key} {value}" for key, value in row.items()))
    whole = cells(net.loop(), eager)
    named = {of_words(words) for words in only} | {DEFAULT, auto}
    ready = made_ready(net, (cell for cell in whole if cell in named) if only else whole)
    if auto not in ready:
        print(f"{name}: auto chose {auto}, which is no cell of this grid")
        return
    times = timed(ready, rounds)
    found = {cell: ratio(mine, times[DEFAULT]) for cell, mine in times.items()}
    ranked = sorted(found, key=lambda cell: -found[cell][0])
    for cell in ranked:
        mark = "  <- auto" * (cell == auto) + "  <- PyTorch's default" * (cell == DEFAULT)
        speed = 1 / median(times[cell])
        print(f"  {cell!s:50} {speed:10.2f} steps/s  {found[cell][0]:6.2f} times the default{mark}")
    finals = timed({c: ready[c] for c in (*ranked[:FINALISTS], auto, DEFAULT)}, 2 * rounds)
    best = min(finals, key=lambda cell: median(finals[cell]))
    share, multiple = ratio(finals[auto], finals[best]), ratio(finals[auto], finals[DEFAULT])
    print(
        f"{name}: auto ({auto}) is {share[0]:.3f} ({share[1]:.3f} to {share[2]:.3f}) of the best cell "
        f"({best}), {multiple[0]:.2f} ({multiple[1]:.2f} to {multiple[2]:.2f}) times PyTorch's default, "
        f"{2 * rounds} rounds",
        flush=True,
    )


def of_words(words: str) -> Numerics:
    """A cell as it is printed."""
    parts = words.split("+")
    threads = next((int(part.split()[0]) for part in parts if "thread" in part), None)
    rest = "+".join(part for part in parts if "thread" not in part) or "exact"
    return replace(Numerics.parse(rest), threads=threads)


def quality(name: str, seeds: int, epochs: float | None, words: str | None) -> None:
    """Print the scores of runs in float32 and by auto's choice, paired by seed."""
    net = Net(name)
    if words is None:
        chosen, _ = choose(net.loop(), net.recipe, net.card)
        auto = replace(Numerics.of(chosen["numerics"]), threads=None)
        words = str(auto)
        print(told(chosen), flush=True)
    method, data, settings = NETS[name]
    budget = {} if epochs is None else {"epochs": epochs}
    differences = []
    for seed in range(seeds):
        scores = []
        for numerics in ("exact", words):
            began = time.perf_counter()
            run = train_quietly(method, data, numerics=numerics, seed=seed, **settings, **budget)
            metric = run.result["metric"]
            scores.append(run.scores[metric])
            print(
                f"  seed {seed}, {numerics}: {metric} {scores[-1]:.4f}, {time.perf_counter() - began:.0f} s",
                flush=True,
            )
        differences.append(scores[1] - scores[0])
    middle = sum(differences) / seeds
    half = float(stats.t.ppf(0.975, seeds - 1)) * stdev(differences) / math.sqrt(seeds)
    interval = f"95 % interval {middle - half:+.4f} to {middle + half:+.4f}, {seeds} seeds"
    print(f"{name}: {words} less exact, {metric}: {middle:+.4f} ({interval})")


def train_quietly(method: str, data: str, **settings: Any) -> Any:
    """A run that keeps nothing on disk."""
    with tempfile.TemporaryDirectory() as folder:
        return train(method, data, out=f"{folder}/run", **settings)


def main(words: list[str]) -> int:
    """Print what is asked for."""
    parser = argparse.ArgumentParser("python -m bench numerics", description=__doc__)
    parser.add_argument("nets", nargs="*", choices=[*NETS, []], help="all by default")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--eager", action="store_true", help="leave out the compiled cells")
    parser.add_argument("--only", nargs="+", default=[], metavar="CELL")
    parser.add_argument("--chosen", metavar="CELL")
    parser.add_argument("--quality", choices=NETS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=float)
    parser.add_argument("--words", help="numerics to hold against float32, in place of auto's choice")
    asked = parser.parse_args(words)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads", flush=True)
    if asked.quality:
        quality(asked.quality, asked.seeds, asked.epochs, asked.words)
        return 0
    for name in asked.nets or NETS:
        measure(name, asked.rounds, asked.minutes, asked.eager, asked.only, asked.chosen)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
