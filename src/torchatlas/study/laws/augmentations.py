"""Laws of augmentations: batches in, batches out, by the default generator's noise alone."""

import torch
from torch import Tensor

from ...cards.card import Card
from .law import Check, close, draw, must, tiny

SHAPES = ((9, 3, 12, 10), (9, 1, 8, 8))


def _moved(card: Card, x: Tensor, seed: int = 0) -> Tensor:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        moved: Tensor = tiny(card)(x)
        return moved


def batches_keep_their_form(card: Card) -> None:
    """Shape and precision stay, values are finite, and the batch that came in is left alone."""
    for shape in SHAPES:
        for dtype in (torch.float32, torch.float64):
            x = draw(*shape, dtype=dtype)
            kept = x.clone()
            moved = _moved(card, x)
            must(moved.shape == x.shape and moved.dtype == dtype, f"{card.name} gives {moved.dtype}{shape}")
            must(bool(moved.isfinite().all()), f"{card.name} gives values that are not finite")
            must(torch.equal(x, kept), f"{card.name} changes the batch that it was given")


def noise_decides(card: Card) -> None:
    """The same state of the generator gives the same batch, another state another one."""
    x = draw(*SHAPES[0])
    must(torch.equal(_moved(card, x), _moved(card, x)), f"{card.name} differs for the same noise")
    others = [_moved(card, x, seed) for seed in range(1, 6)]
    must(any(not torch.equal(other, _moved(card, x)) for other in others), f"{card.name} is always the same")


def samples_are_moved_one_by_one(card: Card) -> None:
    """Equal images of a batch are not all moved alike, and no image depends on its neighbours."""
    one = draw(*SHAPES[0][1:])
    alike = _moved(card, one.expand(64, *one.shape))
    must(bool((alike != alike[:1]).any()), f"{card.name} moves all images of a batch alike")
    x = draw(*SHAPES[0])
    other = torch.cat([x[:1], draw(*SHAPES[0], seed=1)[1:]])
    close(_moved(card, other)[0], _moved(card, x)[0], 1e-6, f"{card.name} lets neighbours change an image")


LAWS: tuple[Check, ...] = (batches_keep_their_form, noise_decides, samples_are_moved_one_by_one)
