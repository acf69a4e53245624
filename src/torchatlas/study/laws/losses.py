"""Laws of losses: of predictions against targets."""

import copy
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import Card
from .law import Check, close, draw, must, same_when_traced, tiny

ROWS, OUTPUTS = 6, 3
Losing = Callable[..., Tensor]


def losing(card: Card, dtype: torch.dtype = torch.double, **options: Any) -> Losing:
    """The loss as a function of (prediction, target), whatever form its family takes them in.

    Called again it is the same: it meets the same noise, and what it counts while it learns is forgotten.
    """
    loss = tiny(card, **options).to(dtype)
    return lambda x, target: _seeded(_untouched(loss), x, target)


def _seeded(loss: Losing, *inputs: Any) -> Tensor:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return loss(*inputs)


def _untouched(loss: nn.Module) -> nn.Module:
    """A copy of a loss that has buffers to move."""
    return copy.deepcopy(loss) if any(True for _ in loss.buffers()) else loss


def case(card: Card) -> tuple[Tensor, Any, Tensor]:
    """A prediction, a target, and the prediction that meets the target, of the form that the loss takes."""
    prediction = draw(ROWS, OUTPUTS, dtype=torch.double)
    classes = torch.arange(ROWS) % OUTPUTS
    if "regression" in card.topics or card.page.rpartition("/")[2] == "regression.py":
        values = draw(ROWS, OUTPUTS, seed=1, dtype=torch.double)
        return prediction, values, values.clone()
    if "multilabel" in card.topics:
        labels = (draw(ROWS, OUTPUTS, seed=1) > 0).double()
        return prediction, labels, 40 * labels - 20
    if "semi-supervised" in card.topics:
        other = draw(ROWS, OUTPUTS, seed=1, dtype=torch.double)
        return prediction, other, other.clone()
    if card.name == "dfl":
        return prediction, *_places()
    loss = tiny(card)
    if hasattr(loss, "probabilities"):
        return _of_its_own(card, getattr(loss, "outputs", OUTPUTS), classes)
    if not isinstance(loss, torch.nn.KLDivLoss):
        smoothing = getattr(loss, "label_smoothing", 0.0)
        p = (1 - smoothing) * F.one_hot(classes, OUTPUTS).double() + smoothing / OUTPUTS
        return prediction, classes, p.clamp_min(1e-9).log()
    p = draw(ROWS, OUTPUTS, seed=1, dtype=torch.double).softmax(1)
    return prediction.log_softmax(1), p, p.log()


def _of_its_own(card: Card, outputs: int, classes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Scores that the loss reads in its own way; far down its slope from zero they meet the classes."""
    start = torch.zeros(ROWS, outputs, dtype=torch.double, requires_grad=True)
    (slope,) = torch.autograd.grad(losing(card, reduction="sum")(start, classes), start)
    return draw(ROWS, outputs, dtype=torch.double), classes, -60 * slope


def _places() -> tuple[Tensor, Tensor]:
    """Numbers between places, and the scores whose softmax has their shares of the two next to them."""
    numbers = torch.tensor([0.0, 0.25, 1.0, 1.5, 1.75, OUTPUTS - 1], dtype=torch.double)
    shares = (1 - (numbers[:, None] - torch.arange(OUTPUTS)).abs()).clamp_min(1e-9)
    return numbers, shares.log()


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


def one_class_alone_is_finite(card: Card) -> None:
    """Loss and gradient are finite where all rows of a batch have the same target, and of one row."""
    prediction, target, _ = case(card)
    same = target[:1].expand(target.shape)
    for x, aim in ((prediction, same), (prediction[:1], target[:1])):
        x = x.clone().requires_grad_()
        value = losing(card)(x, aim)
        (grad,) = torch.autograd.grad(value, x)
        sound = torch.isfinite(value) and torch.isfinite(grad).all()
        must(bool(sound), f"{card.name} is not finite on targets that are all the same")


def nothing_costs_nothing(card: Card) -> None:
    """A batch without rows has no losses: their sum is 0, and their mean is PyTorch's, not a number."""
    prediction, target, _ = case(card)
    x, aim = prediction[:0].requires_grad_(), target[:0]
    each, total, mean = (losing(card, reduction=r)(x, aim) for r in ("none", "sum", _mean(card)))
    total.backward()
    total, mean = total.detach(), mean.detach()
    must(each.numel() == 0 and float(total) == 0, f"{card.name} of no rows costs {float(total)}")
    must(bool(mean.isnan()), f"{card.name} of no rows has the mean {float(mean)}, where PyTorch's has none")


def _mean(card: Card) -> str:
    """The word for the mean, of which KL divergence has its own."""
    reduction: str = getattr(tiny(card), "reduction", "mean")
    return reduction


def half_precision_is_near(card: Card) -> None:
    """Scores in bfloat16, and a loss under autocast, give about the loss of the same scores in float32."""
    prediction, target, _ = case(card)
    narrow = prediction.bfloat16()
    real = _is_real(target)
    loss = losing(card, torch.float32)
    expected = loss(narrow.float(), target.bfloat16().float() if real else target)
    close(loss(narrow, target.bfloat16() if real else target), expected, 0.04, f"{card.name} in bfloat16")
    with torch.autocast("cpu", torch.bfloat16):
        got = loss(narrow.float(), target.bfloat16().float() if real else target)
    close(got, expected, 0.04, f"{card.name} under autocast")


def curvature_is_right(card: Card) -> None:
    """The gradient's gradient agrees with finite differences, as what learns to learn needs it."""
    prediction, target, _ = case(card)
    loss = losing(card)
    torch.autograd.gradgradcheck(lambda x: loss(x, target), (prediction.requires_grad_(),))


def compiles_and_exports(card: Card) -> None:
    """`torch.compile` and `torch.export` take the loss whole; where it draws or counts, its steps as well."""
    if card.where.startswith("torch."):
        return
    prediction, target, _ = case(card)
    x, aim = prediction.float(), target.float() if _is_real(target) else target
    loss = tiny(card)
    same_when_traced(loss.eval(), x, aim, tolerance=1e-5, what=card.name)
    scored = loss(x, aim)
    eager, other = loss.train(), copy.deepcopy(loss)
    before = [buffer.clone() for buffer in loss.buffers()]
    stepped = _seeded(eager, x, aim)
    if torch.equal(scored, stepped) and all(map(torch.equal, before, loss.buffers())):
        return
    compiled = torch.compile(other, fullgraph=True, backend="aot_eager", dynamic=False)
    close(_seeded(compiled, x, aim), stepped, 1e-5, f"{card.name}'s step compiled")
    for mine, theirs in zip(eager.buffers(), other.buffers(), strict=True):
        close(theirs, mine, 1e-5, f"{card.name}'s buffers after a compiled step")


def scoring_moves_nothing(card: Card) -> None:
    """In evaluation, and without gradient, a loss is the same twice, row by row, and keeps its buffers."""
    prediction, target, _ = case(card)
    loss = tiny(card, reduction="none").double()
    before = [buffer.clone() for buffer in loss.buffers()]
    with torch.no_grad():
        left, right = loss(prediction, target), loss.eval()(prediction, target)
        alone = torch.cat([loss(prediction[k : k + 1], target[k : k + 1]) for k in range(ROWS)])
    close(left, right, 1e-12, f"{card.name} without gradient, in training and in evaluation mode")
    close(alone, right, 1e-9, f"{card.name} of single rows")
    kept = all(map(torch.equal, before, loss.buffers()))
    must(kept, f"{card.name} counts what it is only asked to score")


COMMON: tuple[Check, ...] = (
    target_is_the_minimum,
    gradient_is_right,
    reductions_agree,
    extremes_stay_finite,
)
LAWS: tuple[Check, ...] = (
    *COMMON,
    curvature_is_right,
    one_class_alone_is_finite,
    nothing_costs_nothing,
    half_precision_is_near,
    scoring_moves_nothing,
    compiles_and_exports,
)
