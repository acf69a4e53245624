"""Laws of layers, normalisations and pooling, and of what draws initial weights."""

import torch
from torch import Tensor

from ...cards.card import Card
from ...cards.reader import get
from .law import Check, close, draw, must, tiny

SHAPE = (3, 4, 6, 4)  # four channels, and four numbers in the last dimension: every `tiny` layer takes it


def _example(seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return draw(*SHAPE, seed=seed, dtype=dtype)


def keeps_the_batch(card: Card) -> None:
    """One output per sample; a normalisation keeps the shape, pooling keeps the channels."""
    shape = tuple(tiny(card).eval()(_example()).shape)
    must(shape[0] == SHAPE[0], f"{card.name} made {shape} of {SHAPE}")
    must(card.kind != "norm" or shape == SHAPE, f"{card.name} made {shape} of {SHAPE}")
    smaller = shape[1] == SHAPE[1] and shape[-1] < SHAPE[-1] and shape[-2] < SHAPE[-2]
    must(card.kind != "pool" or smaller, f"{card.name} made {shape} of {SHAPE}")


def samples_stand_alone(card: Card) -> None:
    """In evaluation mode a batch gives what its samples give one by one."""
    layer, x = tiny(card).eval(), _example()
    close(layer(x), torch.cat([layer(row) for row in x.split(1)]), 1e-6, card.name)


def gradient_is_right(card: Card) -> None:
    """Autograd agrees with finite differences in double precision, in evaluation mode."""
    x = _example(1, torch.double)[:1, :, :2].requires_grad_()
    torch.autograd.gradcheck(tiny(card).double().eval(), (x,))


def half_precision_is_near(card: Card) -> None:
    """bfloat16, where PyTorch has it for the CPU, keeps its type and comes near to single precision."""
    x = _example(2).bfloat16()
    try:
        got = tiny(card).eval().bfloat16()(x)
    except NotImplementedError:
        return
    must(got.dtype == torch.bfloat16, f"{card.name} made {got.dtype} of bfloat16")
    close(got.float(), tiny(card).eval()(x.float()), 3e-2, card.name)


LAWS: tuple[Check, ...] = (keeps_the_batch, samples_stand_alone, gradient_is_right, half_precision_is_near)


def _filled(card: Card, seed: int) -> Tensor:
    torch.manual_seed(seed)  # PyTorch's `sparse_` takes the places of its zeros from the global generator
    tensor = torch.full((40, 30), torch.nan)
    got = get(card.name)(tensor, **card.tiny, generator=torch.Generator().manual_seed(seed))
    must(got is tensor, f"{card.name} does not fill the tensor that it is given")
    return tensor


def fills_in_place(card: Card) -> None:
    """Every number of the tensor is set, finite, and they are not all one number."""
    tensor = _filled(card, 0)
    must(bool(torch.isfinite(tensor).all()), f"{card.name} leaves numbers that are not finite")
    must(float(tensor.std()) > 0, f"{card.name} sets all numbers alike")


def seed_decides(card: Card) -> None:
    """The seed decides the numbers."""
    must(
        torch.equal(_filled(card, 1), _filled(card, 1)), f"{card.name} differs between two draws of one seed"
    )
    must(not torch.equal(_filled(card, 1), _filled(card, 2)), f"{card.name} ignores the seed")


INITIALIZER_LAWS: tuple[Check, ...] = (fills_in_place, seed_decides)
