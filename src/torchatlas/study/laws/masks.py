"""Laws of losses of segmentations: scores of classes at every pixel, and pixels that do not count."""

from typing import Any

import torch
from torch import Tensor

from ...cards.card import Card
from .law import Check, close, draw, must, same_when_traced, tiny

IMAGES, CLASSES, SIDES, IGNORED = 2, 3, (5, 6), 255


def case(classes: int = CLASSES) -> tuple[Tensor, Tensor, Tensor]:
    """Scores, classes of the pixels in patches, and scores that are right everywhere; of one class a mask."""
    scores = draw(IMAGES, classes, *SIDES, dtype=torch.double)
    rows, columns = torch.meshgrid(*(torch.arange(side) for side in SIDES), indexing="ij")
    truth = torch.stack(
        [(rows > 1).long() + (columns > 3) * (rows > 1), (rows + columns > 4).long() + (columns > 4)]
    )
    if classes == 1:
        truth = truth.clamp(max=1)
        return scores, truth, (40 * truth - 20.0).double()[:, None]
    right = torch.stack([40.0 * (truth == k) - 20 for k in range(classes)], 1).double()
    return scores, truth, right


def loss_of(card: Card, classes: int = CLASSES, **options: Any) -> Any:
    """The loss; one with a number for each class gets two of them for masks."""
    if classes == 1 and "weight" in card.tiny and isinstance(card.tiny["weight"], tuple):
        options["weight"] = card.tiny["weight"][:2]
    return tiny(card, **options)


def right_scores_are_the_minimum(card: Card) -> None:
    """Scores that are right everywhere cost less than others, by softmax and by the sigmoid."""
    for classes in (CLASSES, 1):
        scores, truth, right = case(classes)
        loss = loss_of(card, classes)
        best = float(loss(right, truth))
        for other in (scores, 3 * scores, -right, 0 * right, right.roll(1, -1), right.roll(1, -2)):
            must(
                best < float(loss(other, truth)),
                f"{card.name} of {classes} classes is no smaller where all is right",
            )


def gradient_is_right(card: Card) -> None:
    """Autograd agrees with finite differences in double precision, by softmax and by the sigmoid."""
    for classes in (CLASSES, 1):
        scores, truth, _ = case(classes)
        scores, truth, loss = scores[:1, :, :3, :4], truth[:1, :3, :4], loss_of(card, classes)
        x = scores.clone().requires_grad_()
        torch.autograd.gradcheck(lambda x: loss(x, truth), (x,))  # noqa: B023
        must(bool(torch.autograd.grad(loss(x, truth), x)[0].any()), f"{card.name} has no gradient")


def reductions_agree(card: Card) -> None:
    """The mean and the sum are those of the images' losses; of no images they are zero."""
    scores, truth, _ = case()
    each, total, mean = (loss_of(card, reduction=r)(scores, truth) for r in ("none", "sum", "mean"))
    must(tuple(each.shape) == (IMAGES,), f"{card.name} gives {tuple(each.shape)}, not a loss per image")
    close(total, each.sum(), 1e-12, f"{card.name}'s sum")
    close(mean, each.mean(), 1e-12, f"{card.name}'s mean")
    must(float(loss_of(card)(scores[:0], truth[:0])) == 0, f"{card.name} of no images is not zero")


def images_stand_alone(card: Card) -> None:
    """The loss of an image does not depend on the others."""
    scores, truth, _ = case()
    loss = loss_of(card, reduction="none")
    alone = torch.cat([loss(a, b) for a, b in zip(scores.split(1), truth.split(1))])
    close(loss(scores, truth), alone, 1e-10, card.name)


def ignored_pixels_do_not_count(card: Card) -> None:
    """Scores of ignored pixels change nothing and have no gradient; an image of them alone costs nothing."""
    for classes in (CLASSES, 1):
        scores, truth, _ = case(classes)
        truth[0, :2, 1:4], truth[1] = IGNORED, IGNORED
        loss = loss_of(card, classes, reduction="none", ignore_index=IGNORED)
        x = scores.clone().requires_grad_()
        value = loss(x, truth)
        (grad,) = torch.autograd.grad(value.sum(), x)
        other = scores.clone()
        other[0, :, :2, 1:4] *= 0.99  # which class is found there stays the same
        outside = (truth == IGNORED)[:, None].expand_as(grad)
        close(loss(other, truth)[0], value[0], 1e-10, f"{card.name} with other scores at ignored pixels")
        must(not bool(grad[outside].any()), f"{card.name} has a gradient at ignored pixels")
        must(not bool(value[1].detach().any()), f"{card.name} of an image without a pixel is not zero")


def extremes_stay_finite(card: Card) -> None:
    """Loss and gradient are finite far out, right and wrong, of one class, and in half precision."""
    for classes in (CLASSES, 1):
        scores, truth, right = case(classes)
        for far in (1e4 * scores, 1e4 * right, -1e4 * right, 0 * right):
            for kind in (torch.float32, torch.bfloat16):
                for labels in (truth, 0 * truth, 0 * truth + 1):
                    x = far.to(kind).clamp(-1e4, 1e4).requires_grad_()
                    value = loss_of(card, classes)(x, labels)
                    (grad,) = torch.autograd.grad(value, x)
                    sound = torch.isfinite(value) and torch.isfinite(grad).all()
                    must(bool(sound), f"{card.name} of {classes} classes is not finite in {kind}")


def mirrors_change_nothing(card: Card) -> None:
    """Images and truths mirrored have the same loss, and so have volumes of one slice and rows of pixels."""
    scores, truth, _ = case()
    loss = loss_of(card)
    close(loss(scores.flip(-1), truth.flip(-1)), loss(scores, truth), 1e-10, f"{card.name} mirrored")
    close(loss(scores.mT, truth.mT), loss(scores, truth), 1e-10, f"{card.name} turned")
    close(loss(scores[:, :, None], truth[:, None]), loss(scores, truth), 1e-10, f"{card.name} of a volume")
    must(bool(torch.isfinite(loss(scores[..., 0], truth[..., 0]))), f"{card.name} of a row is not finite")


def compiles_and_exports(card: Card) -> None:
    """It compiles into one graph, exports, and agrees with itself."""
    scores, truth, _ = case()
    truth[0, 0, :2] = IGNORED
    loss = loss_of(card, ignore_index=IGNORED)
    same_when_traced(loss, scores, truth, tolerance=1e-9, what=card.name)


LAWS: tuple[Check, ...] = (
    right_scores_are_the_minimum,
    gradient_is_right,
    reductions_agree,
    images_stand_alone,
    ignored_pixels_do_not_count,
    extremes_stay_finite,
    mirrors_change_nothing,
    compiles_and_exports,
)
