"""Laws of losses: of predictions, embeddings and sequences against targets, and of the pairs of GANs."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...cards.card import Card
from ...cards.reader import create
from .law import Check, close, draw, must, tiny

ROWS, OUTPUTS = 6, 3
FRAMES = 7
Losing = Callable[..., Tensor]


def losing(card: Card, **options: Any) -> Losing:
    """The loss as a function of (prediction, target), whatever form its family takes them in."""
    loss = tiny(card, **options).double()
    if card.family != "losses/sequence":
        return loss
    return lambda x, target: loss(x.log_softmax(2), *target)


def case(card: Card) -> tuple[Tensor, Any, Tensor]:
    """A prediction, a target, and the prediction that meets the target, of the form that the loss takes."""
    prediction = draw(ROWS, OUTPUTS, dtype=torch.double)
    classes = torch.arange(ROWS) % OUTPUTS
    if card.family == "losses/metric":
        _, points, classes = _embedded(card)
        return points, classes, 10 * F.one_hot(classes, points.shape[1]).double()
    if card.family == "losses/sequence":
        return _sequences()
    if card.page.rpartition("/")[2] == "regression.py":
        values = draw(ROWS, OUTPUTS, seed=1, dtype=torch.double)
        return prediction, values, values.clone()
    if "multilabel" in card.topics:
        labels = (draw(ROWS, OUTPUTS, seed=1) > 0).double()
        return prediction, labels, 40 * labels - 20
    loss = tiny(card)
    if not isinstance(loss, torch.nn.KLDivLoss):
        smoothing = getattr(loss, "label_smoothing", 0.0)
        p = (1 - smoothing) * F.one_hot(classes, OUTPUTS).double() + smoothing / OUTPUTS
        return prediction, classes, p.clamp_min(1e-9).log()
    p = draw(ROWS, OUTPUTS, seed=1, dtype=torch.double).softmax(1)
    return prediction.log_softmax(1), p, p.log()


def _sequences() -> tuple[Tensor, tuple[Tensor, ...], Tensor]:
    """Scores (frames, batch, symbols) with 0 the blank, labels one of which repeats, and unequal lengths."""
    labels = torch.tensor([[1, 1, 2], [2, 1, 0]])
    paths = torch.tensor([[1, 0, 1, 2, 2, 0, 0], [0, 2, 0, 1, 1, 0, 0]])
    best = 30 * F.one_hot(paths.T, OUTPUTS).double()
    return (
        draw(FRAMES, 2, OUTPUTS, dtype=torch.double),
        (labels, torch.tensor([FRAMES, FRAMES - 1]), torch.tensor([3, 2])),
        best,
    )


def target_is_the_minimum(card: Card) -> None:
    """The loss at the target is at most the loss anywhere else, and smaller than at a random prediction."""
    prediction, target, best = case(card)
    loss = losing(card)
    floor = float(loss(best, target))
    must(floor < float(loss(prediction, target)), f"{card.name} is not smaller at the target than elsewhere")
    for k in range(5):
        worse = best.roll(1, -1) if k == 0 else prediction * k
        must(floor <= float(loss(worse, target)) + 1e-12, f"{card.name} is smaller away from the target")


def gradient_is_right(card: Card) -> None:
    """Autograd agrees with finite differences in double precision, and is not zero."""
    prediction, target, _ = case(card)
    loss, x = losing(card), prediction.clone().requires_grad_()
    (grad,) = torch.autograd.grad(loss(x, target), x)
    must(bool(grad.any()), f"{card.name} has no gradient at a random prediction")
    torch.autograd.gradcheck(lambda x: loss(x, target), (x,))


def reductions_agree(card: Card) -> None:
    """The mean and the sum are those of the losses that `reduction="none"` gives."""
    prediction, target, _ = case(card)
    each, total = (losing(card, reduction=r)(prediction, target) for r in ("none", "sum"))
    close(total, each.sum(), 1e-12, f"{card.name}'s sum")
    if card.family == "losses/sequence":
        each = each / target[2]
    rows = len(each) if getattr(tiny(card), "reduction", "mean") == "batchmean" else each.numel()
    close(losing(card)(prediction, target), each.sum() / rows, 1e-12, f"{card.name}'s mean")


def extremes_stay_finite(card: Card) -> None:
    """Loss and gradient are finite for very confident predictions, wrong and right."""
    prediction, target, best = case(card)
    for far in (prediction * 1e4, best * 1e4):
        x = far.float().requires_grad_()
        value = losing(card)(x, target.float() if _is_real(target) else target)
        value.backward()
        assert x.grad is not None
        must(
            bool(torch.isfinite(value) and torch.isfinite(x.grad).all()), f"{card.name} is not finite far out"
        )


def _is_real(target: Any) -> bool:
    return isinstance(target, Tensor) and target.is_floating_point()


LAWS: tuple[Check, ...] = (target_is_the_minimum, gradient_is_right, reductions_agree, extremes_stay_finite)


def _embedded(card: Card, rows: int = 12, width: int = 4) -> tuple[Losing, Tensor, Tensor]:
    return losing(card), draw(rows, width, dtype=torch.double), torch.arange(rows) % OUTPUTS


def means_divide_sums(card: Card) -> None:
    """The sum is a whole number of means: those of the pairs or triplets that were compared."""
    _, x, y = _embedded(card)
    total, mean = (float(losing(card, reduction=r)(x, y)) for r in ("sum", "mean"))
    count = total / mean
    must(count > 0.5 and abs(count - round(count)) < 1e-6, f"{card.name}'s sum is {count:.6g} means")


def rotations_change_nothing(card: Card) -> None:
    """Rotated embeddings have the same loss."""
    loss, x, y = _embedded(card)
    turn = torch.linalg.qr(draw(4, 4, seed=2, dtype=torch.double))[0]
    close(loss(x @ turn, y), loss(x, y), 1e-10, f"{card.name} of rotated embeddings")


def order_and_names_change_nothing(card: Card) -> None:
    """Rows in another order, and classes under other numbers, have the same loss."""
    loss, x, y = _embedded(card)
    rows = torch.arange(len(x)).flip(0)
    close(loss(x[rows], y[rows]), loss(x, y), 1e-12, f"{card.name} of rows in another order")
    close(loss(x, (y + 1) % OUTPUTS), loss(x, y), 1e-12, f"{card.name} of classes under other numbers")


def nothing_to_compare_costs_nothing(card: Card) -> None:
    """A batch of one row or one class, and rows that coincide, have finite losses and gradients."""
    loss, x, y = _embedded(card)
    for points, labels in ((x[:1], y[:1]), (x, 0 * y), (x, torch.arange(len(x))), (0 * x + 1, y)):
        leaf = points.clone().requires_grad_()
        value = loss(leaf, labels)
        (grad,) = torch.autograd.grad(value, leaf)
        sound = torch.isfinite(value) and torch.isfinite(grad).all()
        must(bool(sound), f"{card.name} is not finite on a batch with nothing to compare")


def descent_parts_the_classes(card: Card) -> None:
    """Descending by the loss alone brings each sample's nearest other one into its own class."""
    loss, x, y = _embedded(card)
    leaf = x.clone().requires_grad_()
    optimizer = torch.optim.Adam([leaf], lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        loss(leaf, y).backward()
        optimizer.step()
    points = F.normalize(leaf.detach(), dim=1)
    nearest = torch.cdist(points, points).fill_diagonal_(torch.inf).argmin(1)
    must(bool((y[nearest] == y).all()), f"{card.name} leaves samples nearer to other classes")


EMBEDDING_LAWS: tuple[Check, ...] = (
    target_is_the_minimum,
    gradient_is_right,
    extremes_stay_finite,
    means_divide_sums,
    rotations_change_nothing,
    order_and_names_change_nothing,
    nothing_to_compare_costs_nothing,
    descent_parts_the_classes,
)


def padding_does_not_count(card: Card) -> None:
    """Frames and labels beyond their lengths change nothing."""
    x, (labels, frames, lengths), _ = case(card)
    loss = losing(card)
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
    x, loss = draw(frames, 1, OUTPUTS, dtype=torch.double), losing(card, reduction="sum")
    total = 0.0
    for labels in _all_sequences(frames, OUTPUTS):
        target = torch.tensor([labels or [1]]), torch.tensor([frames]), torch.tensor([len(labels)])
        total += float(loss(x, target).neg().exp())
    must(abs(total - 1) < 1e-9, f"{card.name}'s probabilities of all sequences add up to {total}")


SEQUENCE_LAWS: tuple[Check, ...] = (*LAWS, padding_does_not_count, sequences_share_one)


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
