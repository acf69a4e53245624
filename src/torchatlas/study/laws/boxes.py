"""Laws of box losses: pairs of boxes, compared each by itself."""

import torch
from torch import Tensor

from ...cards.card import Card
from .law import Check, close, draw, must, same_when_traced, tiny

PAIRS = 5


def boxes(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Boxes and truths in an image of 10 x 10, in double precision; most of them overlap."""
    centre = 5 + draw(PAIRS, 2, seed=seed, dtype=torch.double)
    found = centre + 0.4 * draw(PAIRS, 2, seed=seed + 50, dtype=torch.double)
    size, other = (1 + draw(PAIRS, 2, seed=seed + k, dtype=torch.double).abs() for k in (100, 150))
    return torch.cat([found - other, found + other], 1), torch.cat([centre - size, centre + size], 1)


def equal_boxes_cost_nothing(card: Card) -> None:
    """The loss is zero where a box meets its truth, and above zero elsewhere."""
    prediction, target = boxes()
    each = tiny(card, reduction="none").eval()
    close(each(target, target), torch.zeros(()).double().expand(each(target, target).shape), 1e-6, card.name)
    must(bool((each(prediction, target) > 0).any()), f"{card.name} is nowhere above zero")
    must(float(each(prediction, target).min()) >= 0, f"{card.name} is below zero")


def gradient_is_right(card: Card) -> None:
    """Autograd agrees with finite differences in double precision, where the whole loss has a gradient.

    A loss that says `still` has a weight without gradient: finite differences cannot see that, its reference
    can.
    """
    prediction, target = boxes()
    loss = tiny(card).double().eval()
    x = prediction.clone().requires_grad_()
    (grad,) = torch.autograd.grad(loss(x, target), x)
    must(bool(torch.isfinite(grad).all()) and bool(grad.any()), f"{card.name} has no gradient")
    if not getattr(loss, "still", False):
        torch.autograd.gradcheck(lambda x: loss(x, target), (x,))


def reductions_agree(card: Card) -> None:
    """Mean and sum are those of the losses that `reduction="none"` gives; of no boxes they are zero."""
    prediction, target = boxes()
    each, total, mean = (
        tiny(card, reduction=r).double().eval()(prediction, target) for r in ("none", "sum", "mean")
    )
    close(total, each.sum(), 1e-12, f"{card.name}'s sum")
    close(mean, each.mean(), 1e-12, f"{card.name}'s mean")
    leaf = torch.zeros(0, 4, requires_grad=True)
    nothing = tiny(card).eval()(leaf, torch.zeros(0, 4))
    must(nothing.ndim == 0 and float(nothing.detach()) == 0, f"{card.name} of no boxes is {nothing}")
    nothing.backward()


def pairs_stand_alone(card: Card) -> None:
    """The loss of a pair does not depend on the others."""
    prediction, target = boxes()
    each = tiny(card, reduction="none").double().eval()
    alone = torch.cat([each(a, b) for a, b in zip(prediction.split(1), target.split(1))])
    close(each(prediction, target), alone, 1e-12, card.name)


def places_do_not_matter(card: Card) -> None:
    """Both boxes moved by as much have the same loss."""
    prediction, target = boxes()
    loss, way = tiny(card).double().eval(), torch.tensor([3.0, -2, 3, -2], dtype=torch.double)
    close(loss(prediction + way, target + way), loss(prediction, target), 1e-9, f"{card.name} of moved boxes")


def any_box_stays_finite(card: Card) -> None:
    """Loss and gradient are finite for boxes without area, turned about, far away, huge, and equal."""
    box = torch.tensor([[1.0, 1, 3, 4]])
    odd = [
        [2.0, 2, 2, 2],
        [3, 4, 1, 1],
        [3, 1, 1, 4],
        [1, 2, 3, 2],
        [-1e4, -1e4, 1e4, 1e4],
        [1e4, 1e4, 2e4, 3e4],
    ]
    odd += [[1, 1, 3, 4], [1e-30, 0, 2e-30, 1e-30], [0, 0, 0, 0], [4, 4, 1, 1]]
    loss = tiny(card, reduction="none").eval()
    rows = torch.tensor(odd)
    for a, b in (
        (rows, box.expand_as(rows)),
        (box.expand_as(rows), rows),
        (rows, rows),
        (rows, rows.flip(0)),
    ):
        for kind in (torch.float32, torch.bfloat16):
            x = a.to(kind).clone().requires_grad_()
            value = loss(x, b.to(kind))
            (grad,) = torch.autograd.grad(value.sum(), x)
            sound = torch.isfinite(value).all() and torch.isfinite(grad).all()
            must(bool(sound), f"{card.name} is not finite in {kind}")


def descent_finds_the_box(card: Card) -> None:
    """Following the gradient brings boxes nearer to their truths."""
    prediction, target = boxes(seed=7)
    loss, x = tiny(card).double().eval(), prediction.clone().requires_grad_()
    optimizer = torch.optim.Adam([x], lr=0.05)
    before = float(loss(x, target).detach())
    for _ in range(25):
        optimizer.zero_grad()
        loss(x, target).backward()
        optimizer.step()
    after = float(loss(x, target).detach())
    must(after < 0.8 * before, f"{card.name} only fell from {before:.3g} to {after:.3g}")
    nearer = float((x.detach() - target).abs().mean()) < float((prediction - target).abs().mean())
    must(nearer, f"{card.name} leads away from the truth")


def compiles_and_exports(card: Card) -> None:
    """It compiles into one graph, exports, and agrees with itself."""
    prediction, target = boxes()
    same_when_traced(tiny(card).double().eval(), prediction, target, tolerance=1e-9, what=card.name)


LAWS: tuple[Check, ...] = (
    equal_boxes_cost_nothing,
    gradient_is_right,
    reductions_agree,
    pairs_stand_alone,
    places_do_not_matter,
    any_box_stays_finite,
    descent_finds_the_box,
    compiles_and_exports,
)
