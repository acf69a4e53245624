"""Losses of classification: forward and backward on many scores, beside plain cross entropy and compiled.

`python -m bench losses [NAME ...] [--rows N] [--classes C] [--pairs K]`: for each loss the ratio of its step
(loss and gradient) to that of PyTorch's cross entropy, and to its own expression under torch.compile, in
interleaved pairs. Above one: ours takes longer. `--no-compile` leaves the second out.
"""

import argparse
import inspect
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from bench.pairs import Ratio, pairs
from torchatlas.cards.card import Card
from torchatlas.cards.reader import catalog, create, get

ROWS, CLASSES, PAIRS = 4096, 1000, 15
FAMILIES = ("losses", "losses/long_tailed")
Step = Callable[[], object]


def methods() -> list[Card]:
    """The losses of our own that take scores and class numbers, not embeddings."""
    return [
        card
        for card in catalog().values()
        if card.family in FAMILIES
        and "classification" in card.topics
        and card.where.startswith("torchatlas.")
    ]


def made(card: Card, counts: list[int]) -> nn.Module:
    """The loss for classes of these sizes."""
    known: dict[str, Any] = {"num_classes": len(counts), "class_counts": tuple(counts)}
    words = inspect.signature(get(card.name)).parameters
    loss: nn.Module = create(card.name, **{word: value for word, value in known.items() if word in words})
    return loss


def step(loss: Callable[[Tensor, Tensor], Tensor], scores: Tensor, target: Tensor) -> Step:
    """One forward and backward pass, waited for."""

    def once() -> None:
        scores.grad = None
        loss(scores, target).backward()
        if scores.is_cuda:
            torch.cuda.synchronize()

    return once


def measure(card: Card, rows: int, classes: int, count: int, compiled: bool, device: str) -> list[Ratio]:
    """The loss beside cross entropy, and beside itself compiled."""
    sizes = [max(1, round(1000 * 0.01 ** (j / max(classes - 1, 1)))) for j in range(classes)]
    loss = made(card, sizes).to(device)
    outputs = getattr(loss, "outputs", classes)
    scores = torch.randn(rows, outputs, device=device, requires_grad=True)
    plain = torch.randn(rows, classes, device=device, requires_grad=True)
    target = torch.randint(classes, (rows,), device=device)
    ours = step(loss, scores, target)
    found = [pairs(card.name, ours, step(nn.CrossEntropyLoss(), plain, target), count)]
    if compiled:
        torch.compiler.reset()
        other = torch.compile(made(card, sizes).to(device))
        found.append(pairs(card.name, ours, step(other, scores, target), count))
    return found


def main(words: list[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser("python -m bench losses", description=__doc__)
    parser.add_argument("names", nargs="*", help="all by default")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--classes", type=int, default=CLASSES)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--no-compile", action="store_true")
    asked = parser.parse_args(words)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    shape = f"({asked.rows}, {asked.classes}) scores"
    print(f"torch {torch.__version__}, {device}, {torch.get_num_threads()} threads, {shape}", flush=True)
    print(f"{'loss':28} {'ms':>8} {'by cross entropy':>18} {'by its compiled self':>22}", flush=True)
    for card in methods():
        if asked.names and card.name not in asked.names:
            continue
        found = measure(card, asked.rows, asked.classes, asked.pairs, not asked.no_compile, device)
        ratios = [f"{median(one.ratios):.2f}" for one in found]
        last = ratios[1] if len(ratios) > 1 else "-"
        print(f"{card.name:28} {1000 * found[0].ours:8.2f} {ratios[0]:>18} {last:>22}", flush=True)
    return 0
