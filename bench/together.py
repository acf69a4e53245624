"""Ten seeds of one small net trained together against the same ten runs one after another.

Rows and classes are those of the digits (1,257 rows of 64 grey values, 10 classes); each seed has rows of its
own order and weights of its own. Both sides are whole loops with validation of 283 rows each epoch, best
weights and meters, without folders. The time to measure and to write the graph down counts as the stack's.
Options: the number of pairs of each net (7), and of steps of each run (600).
"""

import sys
from collections.abc import Callable

import torch
from torch import nn

from bench.pairs import Ratio, pairs
from torchatlas.data import Part, Resident
from torchatlas.engine.learner import batches, mean_scores
from torchatlas.engine.loop import Loop, Plan
from torchatlas.engine.randomness import reseed
from torchatlas.engine.stackable import Apart
from torchatlas.engine.stacked import Stack
from torchatlas.learning.supervised import Supervised
from torchatlas.networks.convolutional import LeNet5
from torchatlas.networks.dense import MLP

SEEDS, ROWS, VALID, BATCH = 10, 974, 283, 64


def loops(network: Callable[[], nn.Module], shape: tuple[int, ...], steps: int) -> list[Loop]:
    """The loops of all seeds, at step 0."""
    made = []
    for seed in range(SEEDS):
        reseed("cpu", seed, "init")
        learner = Supervised(network())
        x, y = torch.randn(ROWS + VALID, *shape), torch.randint(10, (ROWS + VALID,))
        held = (x[ROWS:], y[ROWS:])
        source = Resident(Part(x[:ROWS], y[:ROWS], torch.arange(ROWS).numpy()), BATCH, seed)
        optimizer = torch.optim.Adam(learner.parameters(), 3e-3, fused=True)

        def validate(kept: Supervised, held: tuple[torch.Tensor, ...] = held) -> dict[str, float]:
            return mean_scores(kept, batches(held, 1024))

        made.append(Loop(learner, source, {"all": optimizer}, Plan(steps, seed=seed), validate=validate))  # type: ignore[arg-type]
    return made


def one_by_one(made: list[Loop]) -> None:
    """Each run by itself."""
    for loop in made:
        loop.run()


def together(made: list[Loop]) -> None:
    """All as a stack, measured to be faster or not."""
    stack = Stack(made)
    try:
        stack.measured()
    except Apart:
        stack = Stack(made)
    stack.run()
    assert not stack.failed and not stack.alone


NETS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "MLP 64-100-10": (lambda: MLP(64, 10, hidden=100), (64,)),
    "MLP 64-256-10": (lambda: MLP(64, 10), (64,)),
    "LeNet-5, 28x28": (lambda: LeNet5(), (1, 28, 28)),
}


def measure(count: int = 7, steps: int = 600) -> list[Ratio]:
    """Together over one after another; loops are made outside of the times."""
    found = []
    for name, (network, shape) in NETS.items():
        each = max(10, steps // 20) if "LeNet" in name else steps  # it takes so much longer
        ready = [loops(network, shape, each) for _ in range(2 * (count + 1))]
        what = f"{SEEDS} seeds of {name}, batch {BATCH}, {each} steps, together against one by one"
        sides = [lambda way=way, ready=ready: way(ready.pop()) for way in (together, one_by_one)]
        found.append(pairs(what, *sides, count))
    return found


def main(words: list[str]) -> int:
    """`python -m bench.together [PAIRS [STEPS]]`."""
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    for ratio in measure(*map(int, words)):
        print(f"{ratio}; {1 / sorted(ratio.ratios)[len(ratio.ratios) // 2]:.2f} times as fast")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
