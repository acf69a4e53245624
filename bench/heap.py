"""A step with freed memory kept, beside one with the C library's heap as it comes: processes in turns.

`python -m bench heap [NET ...] [--pairs N] [--numerics WORDS]`: the nets of `bench numerics`, float32 by
default; pages that the system had to give, and the largest memory held, beside the times. The data comes from
$TORCHATLAS_DATA.
"""

import argparse
import json
import resource
import subprocess
import sys
from statistics import median, quantiles

import torch

from bench.numerics import NETS, Net, of_words
from torchatlas.study.training import loops
from torchatlas.study.training.choosing import Rehearsal

STEPS = 30


def child(name: str, words: str, kept: bool) -> None:
    """Print the seconds, pages and memory of some steps."""
    if not kept:
        loops.keep_freed = lambda: False  # type: ignore[assignment]
    rehearsal = Rehearsal(Net(name).loop(of_words(words)), torch.get_num_threads())
    rehearsal.run(3)
    pages = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    seconds = rehearsal.run(STEPS) / STEPS
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps([seconds, (used.ru_minflt - pages) / STEPS, used.ru_maxrss / 1024]))


def asked(name: str, words: str, how: str) -> list[float]:
    """What a fresh process tells."""
    command = [sys.executable, "-m", "bench", "heap", name, "--numerics", words, "--child", how]
    found: list[float] = json.loads(
        subprocess.run(command, capture_output=True, text=True, check=True).stdout
    )
    return found


def main(words: list[str]) -> int:
    """Print a line for each net."""
    parser = argparse.ArgumentParser("python -m bench heap", description=__doc__)
    parser.add_argument("nets", nargs="*", default=list(NETS))
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--numerics", default="exact")
    parser.add_argument("--child", choices=("kept", "left"), help=argparse.SUPPRESS)
    said = parser.parse_args(words)
    if said.child:
        child(said.nets[0], said.numerics, said.child == "kept")
        return 0
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {said.numerics}", flush=True)
    for name in said.nets:
        both = [[asked(name, said.numerics, how) for how in ("kept", "left")] for _ in range(said.pairs)]
        low, middle, high = quantiles((left[0] / kept[0] for kept, left in both), n=4)
        pages, memory = ([median(one[k][i] for one in both) for k in (0, 1)] for i in (1, 2))
        print(
            f"{name}: {middle:.3f} times as fast ({low:.3f} to {high:.3f}, {said.pairs} pairs), "
            f"{pages[0]:,.0f} pages a step in place of {pages[1]:,.0f}, "
            f"{memory[0]:.0f} MiB at most in place of {memory[1]:.0f}",
            flush=True,
        )
    return 0
