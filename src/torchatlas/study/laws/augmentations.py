"""Laws of augmentations: batches in, batches out, by the default generator's noise alone."""

import torch
from torch import Tensor, nn

from ...cards.card import Card
from .law import Check, close, draw, must, tiny

SHAPES = ((9, 3, 12, 10), (9, 1, 8, 8))
CLASSES = 4
Batch = tuple[Tensor, ...]


def is_mixing(augment: nn.Module) -> bool:
    """Whether an augmentation mixes rows, and so takes targets too."""
    return bool(getattr(augment, "mixes", False))


def _batch(card: Card, x: Tensor) -> Batch:
    """Inputs, and for what mixes rows the probabilities of classes."""
    if not is_mixing(tiny(card)):
        return (x,)
    return x, draw(len(x), CLASSES, seed=2, dtype=x.dtype).softmax(1)


def _moved(card: Card, x: Tensor, seed: int = 0) -> Batch:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        moved = tiny(card)(*_batch(card, x))
    return moved if isinstance(moved, tuple) else (moved,)


def _same(one: Batch, other: Batch) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def batches_keep_their_form(card: Card) -> None:
    """Shape and precision stay, values are finite, and the batch that came in is left alone."""
    for shape in SHAPES:
        for dtype in (torch.float32, torch.float64):
            x = draw(*shape, dtype=dtype)
            kept = x.clone()
            for moved, given in zip(_moved(card, x), _batch(card, x), strict=True):
                fits = moved.shape == given.shape and moved.dtype == dtype
                must(fits, f"{card.name} gives {moved.dtype}{tuple(moved.shape)}")
                must(bool(moved.isfinite().all()), f"{card.name} gives values that are not finite")
            must(torch.equal(x, kept), f"{card.name} changes the batch that it was given")


def noise_decides(card: Card) -> None:
    """The same state of the generator gives the same batch, another state another one."""
    x = draw(*SHAPES[0])
    must(_same(_moved(card, x), _moved(card, x)), f"{card.name} differs for the same noise")
    others = [_moved(card, x, seed) for seed in range(1, 6)]
    must(any(not _same(other, _moved(card, x)) for other in others), f"{card.name} is always the same")


def samples_are_moved_one_by_one(card: Card) -> None:
    """Equal images of a batch are not all moved alike, and no image depends on its neighbours.

    What mixes rows is left to `targets_follow_what_is_seen`.
    """
    if is_mixing(tiny(card)):
        return
    one = draw(*SHAPES[0][1:])
    (alike,) = _moved(card, one.expand(64, *one.shape))
    must(bool((alike != alike[:1]).any()), f"{card.name} moves all images of a batch alike")
    x = draw(*SHAPES[0])
    other = torch.cat([x[:1], draw(*SHAPES[0], seed=1)[1:]])
    close(
        _moved(card, other)[0][0], _moved(card, x)[0][0], 1e-6, f"{card.name} lets neighbours change an image"
    )


def targets_follow_what_is_seen(card: Card) -> None:
    """Where rows are mixed, targets are by as much: a class counts by the pixels of its colour."""
    augment = tiny(card)
    if not is_mixing(augment):
        return
    y = torch.eye(CLASSES, dtype=torch.double)[torch.arange(3 * CLASSES) % CLASSES]
    x = y[:, :, None, None].expand(-1, -1, 12, 10)  # a class is a channel of ones
    shares = []
    for seed in range(8):
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            mixed, target = augment(x, y)
        close(mixed.mean((2, 3)), target, 1e-6, f"{card.name}'s targets")
        close(target.sum(1), torch.ones(len(y)), 1e-6, f"{card.name}'s targets' sums")
        shares.append(target.amax(1).min())
    must(min(map(float, shares)) < 0.9, f"{card.name} mixes next to nothing")


LAWS: tuple[Check, ...] = (
    batches_keep_their_form,
    noise_decides,
    samples_are_moved_one_by_one,
    targets_follow_what_is_seen,
)
