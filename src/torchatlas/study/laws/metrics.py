"""Laws of metrics: what was seen decides the score, not how it was cut up or in which order it came."""

from typing import Any

import torch
from torch import Tensor

from ...cards.card import Card
from .law import Check, close, draw, must, tiny

BATCHES, ROWS = 4, 6
Batch = tuple[Tensor, ...]


def batches(metric: Any) -> list[Batch]:
    """Batches that the metric takes: logits and class numbers for one with `num_classes`, else numbers.

    A metric of another form has `example(seed)`, which gives what one `update` is called with.
    """
    if hasattr(metric, "example"):
        return [metric.example(seed) for seed in range(BATCHES)]
    found: list[Batch] = []
    for seed in range(BATCHES):
        if hasattr(metric, "num_classes"):
            scores = draw(ROWS, metric.num_classes, seed=seed)
            found.append((scores, draw(ROWS, seed=100 + seed).mul(9).long() % metric.num_classes))
        else:
            found.append((draw(ROWS, seed=seed), draw(ROWS, seed=100 + seed)))
    return found


def _seen(card: Card, which: list[int]) -> Any:
    metric = tiny(card)
    every = batches(metric)
    for number in which:
        metric.update(*every[number])
    return metric


def _score(metric: Any) -> Tensor:
    return torch.as_tensor(metric.compute())


def merged_halves_are_the_whole(card: Card) -> None:
    """Two metrics that saw a part each, merged, score as one that saw all; the one merged in is kept."""
    whole, left, right = _seen(card, [0, 1, 2, 3]), _seen(card, [0, 2]), _seen(card, [1, 3])
    before = _score(right)
    left.merge(right)
    close(_score(left), _score(whole), 1e-6, f"{card.name} merged")
    close(_score(right), before, 0.0, f"{card.name}, after it was merged into another")
    left.merge(tiny(card))
    close(_score(left), _score(whole), 1e-6, f"{card.name} merged with one that saw nothing")


def every_batch_counts(card: Card) -> None:
    """The score is not that of the first batch or the last one alone."""
    whole = _score(_seen(card, [0, 1, 2, 3]))
    for number in (0, 3):
        alone = _score(_seen(card, [number]))
        must(not torch.equal(whole, alone), f"{card.name} of all batches is that of batch {number} alone")


def order_does_not_matter(card: Card) -> None:
    """Batches in another order give the same score."""
    whole = _score(_seen(card, [0, 1, 2, 3]))
    close(_score(_seen(card, [3, 1, 0, 2])), whole, 1e-6, f"{card.name} in another order")


def reset_forgets(card: Card) -> None:
    """After `reset` it scores as a fresh one."""
    used, fresh = _seen(card, [0, 1]), tiny(card)
    used.reset()
    for metric in (used, fresh):
        metric.update(*batches(metric)[2])
    close(_score(used), _score(fresh), 0.0, f"{card.name} after reset")


def compute_only_reads(card: Card) -> None:
    """`compute` twice gives the same, and what comes after counts on."""
    metric, whole = _seen(card, [0, 1]), _seen(card, [0, 1, 2])
    close(_score(metric), _score(metric), 0.0, f"{card.name} computed twice")
    metric.update(*batches(metric)[2])
    close(_score(metric), _score(whole), 1e-6, f"{card.name} going on after compute")


def state_is_all(card: Card) -> None:
    """A fresh metric that loads the state of another scores as it does, and counts on."""
    used, fresh = _seen(card, [0, 1]), tiny(card)
    fresh.load_state_dict(used.state_dict())
    close(_score(fresh), _score(used), 0.0, f"{card.name} with loaded state")
    fresh.update(*batches(fresh)[2])
    close(_score(fresh), _score(_seen(card, [0, 1, 2])), 1e-6, f"{card.name} going on from loaded state")


LAWS: tuple[Check, ...] = (
    merged_halves_are_the_whole,
    every_batch_counts,
    order_does_not_matter,
    reset_forgets,
    compute_only_reads,
    state_is_all,
)
