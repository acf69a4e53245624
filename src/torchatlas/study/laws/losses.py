"""Laws of losses: of predictions against targets, and of the pairs that GANs play by."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ...cards.card import Card
from ...cards.reader import create
from .law import Check, close, draw, must, tiny

ROWS, OUTPUTS = 6, 3
Pair = tuple[Tensor, Tensor]


def case(card: Card) -> tuple[Tensor, Tensor, Tensor]:
    """A prediction, a target, and the prediction that meets the target, of the form that the loss takes.

    Numbers for losses on the page of regression; for others class numbers, or log-probabilities against
    probabilities for a divergence.
    """
    prediction = draw(ROWS, OUTPUTS, dtype=torch.double)
    if card.page.rpartition("/")[2] == "regression.py":
        values = draw(ROWS, OUTPUTS, seed=1, dtype=torch.double)
        return prediction, values, values.clone()
    loss = tiny(card)
    if not isinstance(loss, torch.nn.KLDivLoss):
        classes = torch.arange(ROWS) % OUTPUTS
        smoothing = getattr(loss, "label_smoothing", 0.0)
        p = (1 - smoothing) * torch.nn.functional.one_hot(classes, OUTPUTS).double() + smoothing / OUTPUTS
        return prediction, classes, p.clamp_min(1e-9).log()
    p = draw(ROWS, OUTPUTS, seed=1, dtype=torch.double).softmax(1)
    return prediction.log_softmax(1), p, p.log()


def target_is_the_minimum(card: Card) -> None:
    """The loss at the target is at most the loss anywhere else, and smaller than at a random prediction."""
    prediction, target, best = case(card)
    loss = tiny(card).double()
    floor = float(loss(best, target))
    must(floor < float(loss(prediction, target)), f"{card.name} is not smaller at the target than elsewhere")
    for k in range(5):
        worse = best.roll(1, 1) if k == 0 else prediction * k
        must(floor <= float(loss(worse, target)) + 1e-12, f"{card.name} is smaller away from the target")


def gradient_is_right(card: Card) -> None:
    """Autograd agrees with finite differences in double precision."""
    prediction, target, _ = case(card)
    loss = tiny(card).double()
    torch.autograd.gradcheck(lambda x: loss(x, target), (prediction.clone().requires_grad_(),))


def reductions_agree(card: Card) -> None:
    """The mean and the sum are those of the losses that `reduction="none"` gives."""
    prediction, target, _ = case(card)
    each, total = (tiny(card, reduction=r)(prediction, target) for r in ("none", "sum"))
    close(total, each.sum(), 1e-12, f"{card.name}'s sum")
    mean = tiny(card)
    rows = len(each) if getattr(mean, "reduction", "mean") == "batchmean" else each.numel()
    close(mean(prediction, target), each.sum() / rows, 1e-12, f"{card.name}'s mean")


def extremes_stay_finite(card: Card) -> None:
    """Loss and gradient are finite for very confident and wrong predictions."""
    prediction, target, _ = case(card)
    x = (prediction.float() * 1e4).requires_grad_()
    value = tiny(card)(x, target if target.dtype == torch.long else target.float())
    value.backward()
    assert x.grad is not None
    must(bool(torch.isfinite(value) and torch.isfinite(x.grad).all()), f"{card.name} is not finite far out")


LAWS: tuple[Check, ...] = (target_is_the_minimum, gradient_is_right, reductions_agree, extremes_stay_finite)


def _sides(card: Card) -> dict[str, tuple[Callable[..., Tensor], tuple[Tensor, ...]]]:
    pair: Any = create(card.name, **card.tiny)
    real, fake = draw(ROWS, 1, dtype=torch.double), draw(ROWS, 1, seed=1, dtype=torch.double)
    return {"critic": (pair.critic, (real, fake)), "generator": (pair.generator, (fake,))}


def gan_losses_are_scalars(card: Card) -> None:
    """Both sides give one finite number."""
    for side, (loss, logits) in _sides(card).items():
        value = loss(*logits)
        must(value.ndim == 0 and bool(torch.isfinite(value)), f"{card.name}.{side} gives {value}")


def gan_gradients_are_right(card: Card) -> None:
    """Autograd agrees with finite differences in double precision, on both sides."""
    for loss, logits in _sides(card).values():
        torch.autograd.gradcheck(loss, tuple(x.clone().requires_grad_() for x in logits))


def gan_sides_pull_apart(card: Card) -> None:
    """The critic wants real logits up and generated ones down; the generator wants its own up."""
    wanted = {"critic": (-1, 1), "generator": (-1,)}
    for side, (loss, logits) in _sides(card).items():
        leaves = tuple((0.1 * x).requires_grad_() for x in logits)
        for grad, sign in zip(torch.autograd.grad(loss(*leaves), leaves), wanted[side], strict=True):
            must(float(grad.sum()) * sign > 0, f"{card.name}.{side} pulls the wrong way")


GAN_LAWS: tuple[Check, ...] = (gan_losses_are_scalars, gan_gradients_are_right, gan_sides_pull_apart)
