"""What the engine's loop costs over a hand-written one: a 784-100-10 MLP, batch 64, Adam, 938 steps.

Ours has all that is on by default: record on disk, NaN guard, counted noise, progress as plain lines.
The hand-written loop slices resident tensors, keeps its losses and does nothing else. Both in PyTorch's
default Adam and in its fused form, which torchatlas takes by itself.
"""

import io
import tempfile
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from bench.pairs import Ratio, pairs
from torchatlas.data import Part, Resident
from torchatlas.engine.checkpoint import Store
from torchatlas.engine.loop import Loop, Plan
from torchatlas.engine.progress import PlainProgress
from torchatlas.engine.record import Record
from torchatlas.learning.supervised import Supervised

ROWS, BATCH, STEPS = 60_000, 64, 938


def network() -> nn.Module:
    """The net of the measurement."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10))


def by_hand(x: torch.Tensor, y: torch.Tensor, fused: bool | None) -> float:
    """One epoch as one would write it oneself."""
    net = network()
    optimizer = torch.optim.Adam(net.parameters(), 1e-3, fused=fused)
    losses = []
    for rows in torch.randperm(len(x)).split(BATCH):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return float(torch.stack(losses).mean())


def by_loop(part: Part, fused: bool | None, folder: Path) -> None:
    """The same epoch by the engine, progress and record on."""
    learner = Supervised(network())
    optimizer = torch.optim.Adam(learner.parameters(), 1e-3, fused=fused)
    for old in folder.glob("*.jsonl"):
        old.unlink()
    source = Resident(part, BATCH, seed=0)
    kept = {"record": Record(folder / "record.jsonl"), "failures": folder / "failures"}
    Loop(
        learner, source, {"all": optimizer}, Plan(STEPS), listeners=[PlainProgress(io.StringIO())], **kept
    ).run()


def measure(count: int = 15) -> list[Ratio]:
    """The ratios: ours to the hand-written loop, with the same Adam on both sides."""
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(ROWS, 784, generator=g), torch.randint(10, (ROWS,), generator=g)
    part = Part(x, y, torch.arange(ROWS).numpy())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return [
            pairs(
                "loop, fused Adam on both sides",
                lambda: by_loop(part, True, folder),
                lambda: by_hand(x, y, True),
                count,
            ),
            pairs(
                "loop, PyTorch's default Adam on both sides",
                lambda: by_loop(part, None, folder),
                lambda: by_hand(x, y, None),
                count,
            ),
            pairs(
                "loop as it comes (fused) against a hand-written one with the default Adam",
                lambda: by_loop(part, True, folder),
                lambda: by_hand(x, y, None),
                count,
            ),
        ]


def checkpoint_seconds() -> float:
    """Seconds to write a checkpoint of this net and its Adam, for the record."""
    from bench.pairs import timed

    learner = Supervised(network())
    optimizer = torch.optim.Adam(learner.parameters(), 1e-3)
    with tempfile.TemporaryDirectory() as name:
        state = {"learner": learner.state_dict(), "optimizers": {"all": optimizer.state_dict()}}
        return timed(lambda: Store(Path(name)).save(1, state))


if __name__ == "__main__":
    for ratio in measure():
        print(ratio)
    print(f"checkpoint: {1000 * checkpoint_seconds():.1f} ms")
