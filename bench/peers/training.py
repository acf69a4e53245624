"""Two libraries' trainings of one task, timed in pairs; and one library's alone, for accuracy and memory."""

import json
import re
import sys
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch

from bench.pairs import pairs, timed
from bench.peers.nets import TASKS, accuracy
from bench.peers.plan import CHOOSER, Job
from bench.peers.rows import data_of
from bench.peers.side import Side
from bench.peers.ways import WAYS

SEED = 0
SEEDS = 3  # for the spread of accuracy


def side_by_side(net: str, peer: str, numerics: str, count: int, home: Path) -> dict[str, Any]:
    """Pairs of ours and a peer's; both leave a checkpoint where the peer does by itself."""
    task, way, usual = TASKS[net], WAYS[peer], torch.get_num_threads()
    data = data_of(task, home / "data").first(task.batch * task.steps)
    ours = WAYS["ours"].make(task, data, SEED, home / "ours", numerics=numerics, saves=way.checkpoints)
    chosen = torch.get_num_threads()  # auto may have chosen fewer, for itself alone
    theirs = way.make(task, data, SEED, home / peer)

    def ready(side: Side, threads: int) -> None:
        torch.set_num_threads(threads)
        side.fresh()

    fresh = (partial(ready, ours, chosen), partial(ready, theirs, usual))
    ratio = pairs(net, ours.run, theirs.run, count, fresh, collecting=True)
    sizes = [ours.parameters, theirs.parameters]
    if abs(sizes[0] - sizes[1]) > 0.01 * sizes[0]:
        raise ValueError(
            f"{way.label}'s {net} has {sizes[1]:,} parameters and ours {sizes[0]:,}: not equal work"
        )
    return {
        "ratios": [1 / r for r in ratio.ratios],  # theirs over ours: how many times as fast ours is
        "ours": ratio.ours,
        "theirs": ratio.theirs,
        "numerics": ours.numerics,
        "choosing": ours.choosing,
        "chosen": {"words": ours.words, "threads": chosen},
        "parameters": sizes,
        "rows": len(data.x),
        "source": data.source,
        "threads": usual,
    }


def alone(net: str, name: str, numerics: str, home: Path) -> dict[str, Any]:
    """One longer training in a process of its own: accuracy on the test rows, and the peak of memory.

    Ours goes on with other seeds, which tells how much accuracy owes to chance.
    """
    task, way = TASKS[net], WAYS[name]
    data = data_of(task, home / "data")
    options = {"numerics": settled(net, numerics, home)} if name == "ours" else {}
    told: list[float] = []
    memory: list[float] = []
    for seed in range(SEED, SEED + (SEEDS if name == "ours" else 1)):
        side = way.make(task, data, seed, home / name, **options)
        side.fresh()
        memory.append(peak_memory())
        side.run()
        memory.append(peak_memory())
        told.append(accuracy(side.classes(data.test_x), data))
    return {"accuracies": told, "before": memory[0], "peak": memory[1], "rows": len(data.x)}


def settled(net: str, numerics: str, home: Path) -> str:
    """The numerics that auto came to in an earlier part, with its threads; else as they were said."""
    path = Job("train", (net, CHOOSER, "auto")).path(home)
    if numerics != "auto" or not path.exists():
        return numerics
    chosen = json.loads(path.read_text())["chosen"]
    torch.set_num_threads(chosen["threads"])
    return str(chosen["words"])


def peak_memory() -> float:
    """The most memory that this process held so far, in MiB; not its parent's, as `ru_maxrss` may be."""
    status = Path("/proc/self/status")
    if status.exists() and (found := re.search(r"VmHWM:\s+(\d+) kB", status.read_text())):
        return int(found[1]) / 2**10
    import resource

    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def data_alone(net: str, home: Path) -> dict[str, Any]:
    """The rows, made and kept before anything is measured."""
    data = data_of(TASKS[net], home / "data")
    return {"source": data.source, "rows": len(data.x), "classes": data.classes}


def shares(net: str, numerics: str, count: int, home: Path) -> dict[str, Any]:
    """The share of a matrix product's speed that a training reaches, each beside one of the moment."""
    from bench.peers.flops import matrix_product, of_step

    task, usual = TASKS[net], torch.get_num_threads()
    data = data_of(task, home / "data").first(task.batch * task.steps)
    ours = WAYS["ours"].make(task, data, SEED, home / "ours", numerics=settled(net, numerics, home))
    chosen = torch.get_num_threads()
    flops = of_step(task, data) * task.steps
    found: dict[str, list[float]] = {"reached": [], "float32": [], "bfloat16": []}
    for k in range(count + 1):  # the first one warms up
        ours.fresh()
        torch.set_num_threads(chosen)
        reached = flops / timed(ours.run, collecting=True)
        torch.set_num_threads(usual)
        peaks = [matrix_product(dtype) for dtype in (torch.float32, torch.bfloat16)]
        if k:
            for name, value in zip(found, (reached, *peaks)):
                found[name].append(value)
    told = {name: median(values) for name, values in found.items()}
    share = [a / b for a, b in zip(found["reached"], found["float32"])]
    return {
        **told,
        "shares": share,
        "flops": flops / task.steps,
        "numerics": ours.numerics,
    }
