"""Laws of losses between a student and its teacher: (logits, (teacher's logits, classes)) -> scalar."""

import torch
from torch import Tensor

from ...cards.card import Card
from .law import Check, close, draw, must, tiny

ROWS, OUTPUTS = 6, 4


def case() -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """A student's logits, a teacher's, and classes."""
    student, teacher = (draw(ROWS, OUTPUTS, seed=seed, dtype=torch.double) for seed in (0, 1))
    return student, (teacher, torch.arange(ROWS) % OUTPUTS)


def agreement_costs_nothing(card: Card) -> None:
    """Of the teacher alone, its own logits cost nothing, also when shifted; all others cost something."""
    student, (teacher, y) = case()
    loss = tiny(card, alpha=1.0)
    must(abs(float(loss(teacher + 3, (teacher, y)))) < 1e-12, f"{card.name} charges for agreement")
    must(float(loss(student, (teacher, y))) > 1e-3, f"{card.name} does not charge for disagreement")


def gradient_is_right(card: Card) -> None:
    """Autograd agrees with finite differences in double precision, and is not zero."""
    student, target = case()
    loss, x = tiny(card), student.clone().requires_grad_()
    (grad,) = torch.autograd.grad(loss(x, target), x)
    must(bool(grad.any()), f"{card.name} has no gradient at a random prediction")
    torch.autograd.gradcheck(lambda x: loss(x, target), (x,))


def temperature_keeps_the_gradient_s_size(card: Card) -> None:
    """From temperature 20 to 80 the gradient's size moves by less than a hundredth."""
    student, target = case()
    sizes = []
    for temperature in (20.0, 80.0):
        x = student.clone().requires_grad_()
        (grad,) = torch.autograd.grad(tiny(card, alpha=1.0, temperature=temperature)(x, target), x)
        sizes.append(float(grad.norm()))
    must(
        abs(sizes[1] / sizes[0] - 1) < 0.01,
        f"{card.name}'s gradient goes from {sizes[0]:.3g} to {sizes[1]:.3g}",
    )


def both_parts_count(card: Card) -> None:
    """The loss is the mix, by `alpha`, of the teacher's part and the classes' part."""
    student, target = case()
    whole, soft, hard = (tiny(card, alpha=alpha)(student, target) for alpha in (0.25, 1.0, 0.0))
    close(whole, 0.25 * soft + 0.75 * hard, 1e-12, f"{card.name} at alpha 0.25")
    close(hard, torch.nn.functional.cross_entropy(student, target[1]), 1e-12, f"{card.name} at alpha 0")


def reductions_agree(card: Card) -> None:
    """The mean and the sum are those of the losses that `reduction="none"` gives."""
    student, target = case()
    each, total, mean = (tiny(card, reduction=r)(student, target) for r in ("none", "sum", "mean"))
    must(each.shape == (ROWS,), f"{card.name} gives {tuple(each.shape)}, not one loss per row")
    close(total, each.sum(), 1e-12, f"{card.name}'s sum")
    close(mean, each.mean(), 1e-12, f"{card.name}'s mean")


def extremes_stay_finite(card: Card) -> None:
    """Loss and gradient are finite for very confident students and teachers."""
    student, (teacher, y) = case()
    for far, aim in ((1e4, 1.0), (1.0, 1e4), (1e4, 1e4)):
        x = (student * far).float().requires_grad_()
        value = tiny(card)(x, ((teacher * aim).float(), y))
        (grad,) = torch.autograd.grad(value, x)
        must(bool(torch.isfinite(value) and torch.isfinite(grad).all()), f"{card.name} is not finite far out")


LAWS: tuple[Check, ...] = (
    agreement_costs_nothing,
    gradient_is_right,
    temperature_keeps_the_gradient_s_size,
    both_parts_count,
    reductions_agree,
    extremes_stay_finite,
)
