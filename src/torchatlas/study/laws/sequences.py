"""Laws of losses between sequences of unequal lengths."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...cards.card import Card
from .law import Check, close, draw, must, tiny

FRAMES, SYMBOLS = 7, 3
Target = tuple[Tensor, Tensor, Tensor]  # labels, frames that count, labels that count


def _losing(card: Card, **options: Any) -> Callable[[Tensor, Target], Tensor]:
    """The loss as a function of (scores, target)."""
    loss = tiny(card, **options).double()

    def lose(x: Tensor, target: Target) -> Tensor:
        value: Tensor = loss(x.log_softmax(2), *target)
        return value

    return lose


def _case() -> tuple[Tensor, Target, Tensor]:
    """Scores (frames, batch, symbols) with 0 the blank, labels one of which repeats, and unequal lengths."""
    labels = torch.tensor([[1, 1, 2], [2, 1, 0]])
    paths = torch.tensor([[1, 0, 1, 2, 2, 0, 0], [0, 2, 0, 1, 1, 0, 0]])
    best = 30 * F.one_hot(paths.T, SYMBOLS).double()
    target = (labels, torch.tensor([FRAMES, FRAMES - 1]), torch.tensor([3, 2]))
    return draw(FRAMES, 2, SYMBOLS, dtype=torch.double), target, best


def target_is_the_minimum(card: Card) -> None:
    """The loss at scores that spell the labels is at most the loss of any others that are tried."""
    x, target, best = _case()
    loss = _losing(card)
    floor = float(loss(best, target))
    must(floor < float(loss(x, target)), f"{card.name} is not smaller at the target than elsewhere")
    for k in range(5):
        worse = best.roll(1, -1) if k == 0 else x * k
        must(floor <= float(loss(worse, target)) + 1e-12, f"{card.name} is smaller away from the target")


def gradient_is_right(card: Card) -> None:
    """Autograd agrees with finite differences in double precision, and is not zero."""
    x, target, _ = _case()
    loss, leaf = _losing(card), x.clone().requires_grad_()
    (grad,) = torch.autograd.grad(loss(leaf, target), leaf)
    must(bool(grad.any()), f"{card.name} has no gradient at random scores")
    torch.autograd.gradcheck(lambda z: loss(z, target), (leaf,))


def reductions_agree(card: Card) -> None:
    """The sum is that of the losses that `reduction="none"` gives, the mean that of losses per label."""
    x, target, _ = _case()
    each, total = (_losing(card, reduction=r)(x, target) for r in ("none", "sum"))
    close(total, each.sum(), 1e-12, f"{card.name}'s sum")
    close(_losing(card)(x, target), (each / target[2]).mean(), 1e-12, f"{card.name}'s mean")


def extremes_stay_finite(card: Card) -> None:
    """Loss and gradient are finite for very confident scores, wrong and right."""
    x, target, best = _case()
    loss = tiny(card)
    for far in (x * 1e4, best * 1e4):
        leaf = far.float().requires_grad_()
        value = loss(leaf.log_softmax(2), *target)
        (grad,) = torch.autograd.grad(value, leaf)
        sound = torch.isfinite(value) and torch.isfinite(grad).all()
        must(bool(sound), f"{card.name} is not finite far out")


def padding_does_not_count(card: Card) -> None:
    """Frames and labels beyond their lengths change nothing."""
    x, (labels, frames, lengths), _ = _case()
    loss = _losing(card)
    other_x, other_labels = x.clone(), labels.clone()
    other_x[-1, 1], other_labels[1, 2] = 5.0, 2
    same = loss(other_x, (other_labels, frames, lengths))
    close(same, loss(x, (labels, frames, lengths)), 1e-12, f"{card.name} with other padding")


def _all_sequences(frames: int, symbols: int) -> Iterator[list[int]]:
    for length in range(frames + 1):
        yield from (list(labels) for labels in product(range(1, symbols), repeat=length))


def sequences_share_one(card: Card) -> None:
    """The probabilities of all label sequences add up to one, that of the empty one included."""
    frames = 4
    x, loss = draw(frames, 1, SYMBOLS, dtype=torch.double), _losing(card, reduction="sum")
    total = 0.0
    for labels in _all_sequences(frames, SYMBOLS):
        target = torch.tensor([labels or [1]]), torch.tensor([frames]), torch.tensor([len(labels)])
        total += float(loss(x, target).neg().exp())
    must(abs(total - 1) < 1e-9, f"{card.name}'s probabilities of all sequences add up to {total}")


LAWS: tuple[Check, ...] = (
    target_is_the_minimum,
    gradient_is_right,
    reductions_agree,
    extremes_stay_finite,
    padding_does_not_count,
    sequences_share_one,
)
