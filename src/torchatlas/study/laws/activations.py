"""Laws of activations."""

import torch

from ...cards.card import Card
from .law import Check, close, draw, must, tiny

EXTREMES = (-1e4, -1.0, 0.0, 1.0, 1e4)


def keeps_the_shape(card: Card) -> None:
    """Any shape comes out as it went in."""
    act = tiny(card).eval()
    for shape in ((3, 4), (2, 3, 4, 5), (1, 1), (0, 3)):
        got = act(draw(*shape)).shape
        must(tuple(got) == shape, f"{card.name} made {tuple(got)} of {shape}")


def samples_stand_alone(card: Card) -> None:
    """A batch gives what its samples give one by one."""
    act, x = tiny(card).eval(), draw(5, 4)
    close(act(x), torch.cat([act(row) for row in x.split(1)]), 1e-6, card.name)


def gradient_is_right(card: Card) -> None:
    """Autograd agrees with finite differences in double precision."""
    act, x = tiny(card).double().eval(), draw(3, 4, seed=1, dtype=torch.double).requires_grad_()
    torch.autograd.gradcheck(act, (x,))


def extremes_stay_finite(card: Card) -> None:
    """Values and gradients are finite at zero and far from it."""
    act, x = tiny(card).eval(), torch.tensor([EXTREMES], requires_grad=True)
    y = act(x)
    y.sum().backward()
    assert x.grad is not None
    for what, values in (("value", y), ("gradient", x.grad)):
        must(bool(torch.isfinite(values).all()), f"{card.name}'s {what}s are not finite: {values.tolist()}")


def half_precision_is_near(card: Card) -> None:
    """bfloat16 and float16 keep their type and come near to single precision."""
    x = draw(8, 4, seed=2)
    for dtype, tolerance in ((torch.bfloat16, 2e-2), (torch.float16, 4e-3)):
        got = tiny(card).eval().to(dtype)(x.to(dtype))
        must(got.dtype == dtype, f"{card.name} made {got.dtype} of {dtype}")
        close(got.float(), tiny(card).eval()(x.to(dtype).float()), tolerance, f"{card.name} in {dtype}")


LAWS: tuple[Check, ...] = (
    keeps_the_shape,
    samples_stand_alone,
    gradient_is_right,
    extremes_stay_finite,
    half_precision_is_near,
)
