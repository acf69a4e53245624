"""Laws of losses over embeddings, which compare the rows of a batch or hold them against proxies."""

import inspect
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import Card
from .law import Check, close, draw, must, same_when_traced, tiny

ROWS, WIDTH, CLASSES = 12, 4, 3


def _embedded(card: Card, **options: Any) -> tuple[Any, Tensor, Tensor]:
    """The loss, embeddings and class numbers; proxies, where it has any, lie at the first unit vectors."""
    loss = tiny(card, **options).double()
    if (proxies := _proxies(loss)) is not None:
        proxies.data = _corners(torch.arange(len(proxies)))
    return loss, draw(ROWS, WIDTH, dtype=torch.double), torch.arange(ROWS) % CLASSES


def _proxies(loss: nn.Module) -> nn.Parameter | None:
    found = getattr(loss, "proxies", None)
    return found if isinstance(found, nn.Parameter) else None


def _corners(classes: Tensor) -> Tensor:
    """Embeddings of perfectly parted classes: each at a unit vector of its own."""
    return F.one_hot(classes, WIDTH).double()


@torch.no_grad()
def target_is_the_minimum(card: Card) -> None:
    """Parted classes cost less than random embeddings, and no more than any others that are tried."""
    loss, x, y = _embedded(card)
    best = 10 * _corners(y)
    floor = float(loss(best, y))
    must(floor < float(loss(x, y)), f"{card.name} is not smaller where classes are parted")
    for k in range(5):
        worse = best.roll(1, -1) if k == 0 else x * k
        must(floor <= float(loss(worse, y)) + 1e-12, f"{card.name} is smaller where classes are not parted")


def gradient_is_right(card: Card) -> None:
    """Autograd agrees with finite differences in double precision, and is not zero.

    A loss that takes weights from embeddings without differentiating them has a word for these, `held`.
    """
    loss, x, y = _embedded(card)
    leaf = x.clone().requires_grad_()
    (grad,) = torch.autograd.grad(loss(leaf, y), leaf)
    must(bool(grad.any()), f"{card.name} has no gradient at random embeddings")
    held = {"held": x} if "held" in inspect.signature(loss.forward).parameters else {}
    (same,) = torch.autograd.grad(loss(leaf, y, **held), leaf)
    close(same, grad, 1e-12, f"{card.name}'s gradient with its weights held")
    torch.autograd.gradcheck(lambda z: loss(z, y, **held), (leaf,))


def extremes_stay_finite(card: Card) -> None:
    """Loss and gradient are finite for very long embeddings, near to their class and not."""
    loss, x, y = _embedded(card)
    loss = loss.float()
    for far in (x * 1e4, _corners(y) * 1e5):
        leaf = far.float().requires_grad_()
        value = loss(leaf, y)
        (grad,) = torch.autograd.grad(value, leaf)
        sound = torch.isfinite(value) and torch.isfinite(grad).all()
        must(bool(sound), f"{card.name} is not finite far out")


@torch.no_grad()
def means_divide_sums(card: Card) -> None:
    """The sum is a whole number of means: those of the pairs, triplets or rows that were compared."""
    made = (_embedded(card, reduction=word) for word in ("sum", "mean"))
    total, mean = (float(loss(x, y)) for loss, x, y in made)
    count = total / mean
    must(count > 0.5 and abs(count - round(count)) < 1e-6, f"{card.name}'s sum is {count:.6g} means")


def rotations_change_nothing(card: Card) -> None:
    """Rotated embeddings, with their proxies if any, have the same loss."""
    loss, x, y = _embedded(card)
    before = loss(x, y)
    turn = torch.linalg.qr(draw(WIDTH, WIDTH, seed=2, dtype=torch.double))[0]
    if (proxies := _proxies(loss)) is not None:
        proxies.data = proxies.data @ turn
    close(loss(x @ turn, y), before, 1e-10, f"{card.name} of rotated embeddings")


def order_and_names_change_nothing(card: Card) -> None:
    """Rows in another order, and classes (with their proxies) under other numbers, have the same loss."""
    loss, x, y = _embedded(card)
    before, rows = loss(x, y), torch.arange(ROWS).flip(0)
    close(loss(x[rows], y[rows]), before, 1e-12, f"{card.name} of rows in another order")
    if (proxies := _proxies(loss)) is not None:
        proxies.data = proxies.data.roll(1, 0)
    close(loss(x, (y + 1) % CLASSES), before, 1e-12, f"{card.name} of classes under other numbers")


def nothing_to_compare_costs_nothing(card: Card) -> None:
    """Batches of no row, one row or one class, and rows that coincide, have finite losses and gradients.

    Where rows are compared with each other, each row a class of its own is tried as well.
    """
    loss, x, y = _embedded(card)
    cases = [(x[:0], y[:0]), (x[:1], y[:1]), (x, 0 * y), (0 * x + 1, y), (0 * x, y)]
    if _proxies(loss) is None:
        cases.append((x, torch.arange(ROWS)))
    for points, labels in cases:
        leaf = points.clone().requires_grad_()
        value = loss(leaf, labels)
        (grad,) = torch.autograd.grad(value, leaf)
        sound = torch.isfinite(value) and torch.isfinite(grad).all()
        must(bool(sound), f"{card.name} is not finite on a batch with nothing to compare")


def descent_parts_the_classes(card: Card) -> None:
    """Descending by the loss alone brings each sample's nearest other one, or proxy, into its own class."""
    loss, x, y = _embedded(card)
    leaf = x.clone().requires_grad_()
    optimizer = torch.optim.Adam([leaf], lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        loss(leaf, y).backward()
        optimizer.step()
    points = F.normalize(leaf.detach(), dim=1)
    if (proxies := _proxies(loss)) is None:
        found = y[torch.cdist(points, points).fill_diagonal_(torch.inf).argmin(1)]
    else:
        found = torch.cdist(points, proxies.detach()).argmin(1)
    must(bool((found == y).all()), f"{card.name} leaves samples nearer to other classes")


def proxies_learn(card: Card) -> None:
    """Proxies are all the parameters there are; each has a gradient, right by finite differences."""
    loss, x, y = _embedded(card)
    proxies = _proxies(loss)
    must((proxies is None) == (not list(loss.parameters())), f"{card.name} hides parameters")
    if proxies is None:
        return

    def of(places: Tensor) -> Any:
        return torch.func.functional_call(loss, {"proxies": places}, (x, y))

    leaf = (proxies.detach() + 0.1 * draw(*proxies.shape, seed=4)).requires_grad_()
    (grad,) = torch.autograd.grad(of(leaf), leaf)
    must(bool(grad.any(1).all()), f"{card.name} leaves a proxy where it is")
    torch.autograd.gradcheck(of, (leaf,))


def half_precision_is_near(card: Card) -> None:
    """Embeddings under autocast to bfloat16 give about the loss of float32."""
    loss, x, y = _embedded(card)
    loss, x = loss.float(), x.float()
    with torch.autocast("cpu", torch.bfloat16):
        got = loss(x, y).float()
    close(got, loss(x, y), 0.05, f"{card.name} under autocast")


def compiles_and_exports(card: Card) -> None:
    """`torch.compile` and `torch.export` take the loss whole."""
    loss, x, y = _embedded(card)
    same_when_traced(loss.float(), x.float(), y, tolerance=1e-4, what=card.name)


LAWS: tuple[Check, ...] = (
    target_is_the_minimum,
    gradient_is_right,
    extremes_stay_finite,
    means_divide_sums,
    rotations_change_nothing,
    order_and_names_change_nothing,
    nothing_to_compare_costs_nothing,
    descent_parts_the_classes,
    proxies_learn,
    half_precision_is_near,
    compiles_and_exports,
)
