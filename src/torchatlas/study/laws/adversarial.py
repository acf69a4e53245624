"""Laws of the pairs of losses of GANs."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ...cards.card import Card
from ...losses.adversarial_pairs.pair import asked
from .law import Check, close, draw, must, tiny

ROWS = 6
AHEAD, BEHIND = {"critic": 0.75, "generator": 0.5}, {"critic": 0.25, "generator": -0.5}
Sides = dict[str, tuple[Callable[..., Tensor], tuple[Tensor, ...]]]


def _logits(pair: Any, seed: int = 0) -> Tensor:
    return draw(ROWS, asked(pair, "width"), seed=seed, dtype=torch.double)


def _sides(pair: Any, real: Tensor, fake: Tensor) -> Sides:
    """Each side's loss with the logits that it moves; a generator is told the real ones where it compares."""

    def generator(fake: Tensor) -> Tensor:
        told = (real.detach(),) if asked(pair, "compares") else ()
        value: Tensor = pair.generator(fake, *told)
        return value

    return {"critic": (pair.critic, (real, fake)), "generator": (generator, (fake,))}


def gan_losses_are_scalars(card: Card) -> None:
    """Both sides give one finite number."""
    pair = tiny(card)
    for side, (loss, logits) in _sides(pair, _logits(pair), _logits(pair, 1)).items():
        value = loss(*logits)
        must(value.ndim == 0 and bool(torch.isfinite(value)), f"{card.name}.{side} gives {value}")


def gan_gradients_are_right(card: Card) -> None:
    """Autograd agrees with finite differences in double precision, on both sides."""
    pair = tiny(card)
    for loss, logits in _sides(pair, _logits(pair), _logits(pair, 1)).values():
        torch.autograd.gradcheck(loss, tuple(x.clone().requires_grad_() for x in logits))


def gan_sides_pull_apart(card: Card) -> None:
    """The critic wants real logits on and generated ones back; the generator wants its own on.

    On is the way from the mean of the generated ones to that of the real ones, which here are higher.
    """
    pair = tiny(card)
    for side, signs in {"critic": (-1, 1), "generator": (-1,)}.items():
        real = 0.1 * _logits(pair) + AHEAD[side]
        fake = 0.1 * _logits(pair, 1) + BEHIND[side]
        loss, logits = _sides(pair, real, fake)[side]
        leaves = tuple(x.clone().requires_grad_() for x in logits)
        for grad, sign in zip(torch.autograd.grad(loss(*leaves), leaves), signs, strict=True):
            must(float(grad.sum()) * sign > 0, f"{card.name}.{side} pulls the wrong way")


def gan_pairs_say_what_they_are(card: Card) -> None:
    """Whether a shift of logits leaves the critic's loss, and whether it is the mean of halves, as said."""
    pair = tiny(card)
    real, fake = 3 * _logits(pair), 3 * _logits(pair, 1)
    whole = float(pair.critic(real, fake))
    shifted = float(pair.critic(real + 1.5, fake + 1.5))
    blind = abs(shifted - whole) < 1e-10
    must(blind == asked(pair, "relative"), f"{card.name} is relative: {blind}, not as it says")
    halves = [float(pair.critic(real[rows], fake[rows])) for rows in (slice(0, 3), slice(3, 6))]
    apart = abs(sum(halves) / 2 - whole) > 1e-10
    must(apart == asked(pair, "batchwise"), f"{card.name} is batchwise: {apart}, not as it says")


def gan_penalties_are_right(card: Card) -> None:
    """A penalty is one number, at least 0, whose gradient by the weights, through that by the data,
    agrees with finite differences."""
    pair = tiny(card)
    if not hasattr(pair, "penalty"):
        return
    real, fake = draw(ROWS, 3, seed=2, dtype=torch.double), draw(ROWS, 3, seed=3, dtype=torch.double)
    weights = draw(3, 1, seed=4, dtype=torch.double).requires_grad_()

    def penalty(weights: Tensor) -> Tensor:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            value: Tensor = pair.penalty(lambda x: (x @ weights).tanh() + (x.square() @ weights), real, fake)
        return value

    value = penalty(weights).detach()
    must(value.ndim == 0 and float(value) >= 0, f"{card.name}'s penalty is {value}")
    torch.autograd.gradcheck(penalty, (weights,))
    with torch.no_grad():
        close(penalty(weights), value, 1e-12, f"{card.name}'s penalty where no gradient is wanted")


LAWS: tuple[Check, ...] = (
    gan_losses_are_scalars,
    gan_gradients_are_right,
    gan_sides_pull_apart,
    gan_pairs_say_what_they_are,
    gan_penalties_are_right,
)
