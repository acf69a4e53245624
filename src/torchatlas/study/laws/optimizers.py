"""Laws of optimizers and of schedules of their rate."""

import copy
import inspect
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from ...cards.card import Card
from ...cards.reader import create, get
from ...engine.errors import AtlasError
from .law import Check, draw, must

RATES = (0.1, 1.0, 0.03, 0.01, 0.001)
STEPS = 3000
Objective = Callable[[Tensor], Tensor]


def parabola(w: Tensor) -> Tensor:
    """Two coordinates, one ten times as steep; one at the start (-1.2, 1)."""
    return (w[0].square() + 10 * w[1].square()) / 11.44


def rosenbrock(w: Tensor) -> Tensor:
    """The curved valley whose floor ends at (1, 1); one at the start (-1.2, 1)."""
    return ((1 - w[0]).square() + 100 * (w[1] - w[0].square()).square()) / 24.2


def descends_a_parabola(card: Card) -> None:
    """At one of a few rates a parabola falls to a hundredth of its start."""
    _descends(card, parabola)


def descends_rosenbrock(card: Card) -> None:
    """At one of a few rates Rosenbrock's valley falls to a hundredth of its start."""
    _descends(card, rosenbrock)


def _descends(card: Card, objective: Objective) -> None:
    """The card's own rate is tried last: it is chosen for networks, and slow here."""
    steps = int(card.figures.get("steps", STEPS))
    best = math.inf
    for rate in dict.fromkeys((*RATES, card.recipe.get("lr", RATES[0]))):
        best = min(best, _lowest(card, objective, rate, steps))
        if best <= 0.01:
            return
    must(False, f"{card.name} only brings {objective.__name__} to {best:.3g} of its start in {steps} steps")


def _lowest(card: Card, objective: Objective, rate: float, steps: int) -> float:
    """The lowest value from a start of one, until a hundredth is reached or nothing is finite any more."""
    w = torch.tensor([-1.2, 1.0], requires_grad=True)
    optimizer = make(card, [w], rate)
    lowest = 1.0
    for step in range(steps):
        value = float(optimizer.step(_closure(optimizer, lambda: objective(w))).detach())
        lowest = min(lowest, value)
        if lowest <= 0.01 or not math.isfinite(value) or (step == steps // 3 and lowest > 0.9):
            break
    return lowest


def make(card: Card, params: Any, rate: float) -> Any:
    """The optimizer in its tiny setting at a rate."""
    return create(card.name, params, **{**card.tiny, "lr": rate})


def _closure(optimizer: Optimizer, loss: Callable[[], Tensor]) -> Callable[[], Any]:
    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    return closure


def _problem(seed: int = 0) -> tuple[list[Tensor], Callable[[], Tensor]]:
    """A matrix and a vector to fit by least squares."""
    weight, bias = draw(3, 4, seed=seed).requires_grad_(), draw(3, seed=seed + 1).requires_grad_()
    x, y = draw(8, 4, seed=5), draw(8, 3, seed=6)
    return [weight, bias], lambda: (x @ weight.mT + bias - y).square().mean()


def _walk(optimizer: Optimizer, loss: Callable[[], Tensor], steps: int) -> None:
    for _ in range(steps):
        optimizer.step(_closure(optimizer, loss))


def state_round_trips(card: Card) -> None:
    """A fresh optimizer with the state of a first one goes on bit for bit as that one does."""
    params, loss = _problem()
    first = make(card, params, 0.01)
    _walk(first, loss, 3)
    others, other_loss = _problem()
    with torch.no_grad():
        for other, param in zip(others, params, strict=True):
            other.copy_(param)
    second = make(card, others, 0.5)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    _walk(first, loss, 3)
    _walk(second, other_loss, 3)
    same = all(torch.equal(a, b) for a, b in zip(params, others, strict=True))
    must(same, f"{card.name} differs after its state is saved and taken back")


def groups_stand_alone(card: Card) -> None:
    """Two groups of parameters move as two optimizers would, each at its own rate."""
    together, loss = _problem()
    groups = [{"params": together[:1], "lr": 0.02}, {"params": together[1:], "lr": 0.005}]
    _walk(make(card, groups, 0.1), loss, 4)
    apart, other_loss = _problem()
    pair = [make(card, apart[:1], 0.02), make(card, apart[1:], 0.005)]
    for _ in range(4):
        for optimizer in pair:
            optimizer.zero_grad()
        other_loss().backward()
        for optimizer in pair:
            optimizer.step()
    for a, b in zip(together, apart, strict=True):
        torch.testing.assert_close(a, b, msg=lambda text: f"{card.name} mixes its groups: {text}")


def closures_are_called(card: Card) -> None:
    """`step(closure)` calls the closure and gives its loss back."""
    params, loss = _problem()
    before = float(loss().detach())
    got = make(card, params, 0.01).step(_closure(optimizer=torch.optim.SGD(params), loss=loss))
    must(got is not None, f"{card.name}.step(closure) gives no loss back")
    got = float(got.detach())
    must(abs(got - before) < 1e-4, f"{card.name}.step(closure) gives {got} back, not {before}")


SHAPES = ((), (3,), (2, 3), (3, 1), (2, 3, 2, 2))


def _weights(dtype: torch.dtype = torch.float) -> list[Tensor]:
    return [draw(math.prod(s), seed=k, dtype=dtype).reshape(s) for k, s in enumerate(SHAPES)]


def _along(weights: Sequence[Tensor]) -> Callable[[], Tensor]:
    """A closure whose loss has the gradients that are set: for those that look at losses alone."""
    slopes = [None if w.grad is None else w.grad.clone() for w in weights]
    zero = torch.zeros((), dtype=weights[0].dtype)
    return lambda: zero + sum((w.detach() * g).sum() for w, g in zip(weights, slopes) if g is not None)


def _after_one_step(card: Card, gradient: Callable[[Tensor], Tensor | None]) -> list[tuple[Tensor, Tensor]]:
    """Weights of many shapes before and after a step by given gradients."""
    weights = _weights(torch.double)
    moved = [torch.nn.Parameter(weight.clone()) for weight in weights]
    for weight in moved:
        weight.grad = gradient(weight.detach())
    make(card, moved, 0.01).step(_along(moved))
    return list(zip(weights, (weight.detach() for weight in moved), strict=True))


def every_shape_moves(card: Card) -> None:
    """Scalars, vectors, matrices and kernels take a finite step, in double precision too."""
    for before, after in _after_one_step(card, lambda w: w.square() + 0.1):
        sound = after.dtype == torch.double and bool(torch.isfinite(after).all())
        must(sound, f"{card.name} spoils weights of shape {tuple(before.shape)}")
        same = bool((before == after).any())
        must(not same, f"{card.name} leaves weights of shape {tuple(before.shape)} as they were")


def nothing_stays_nothing(card: Card) -> None:
    """Gradients of zero leave finite weights; weights without a gradient do not move at all."""
    for _, after in _after_one_step(card, torch.zeros_like):
        must(bool(torch.isfinite(after).all()), f"{card.name} is not finite where gradients are zero")
    for before, after in _after_one_step(card, lambda w: None):
        must(torch.equal(before, after), f"{card.name} moves weights that have no gradient")


def gradients_are_left_alone(card: Card) -> None:
    """A step only reads the gradients: whoever logs or clips them after it sees what was computed."""
    weights = [weight.requires_grad_() for weight in _weights()]
    for weight in weights:
        weight.grad = weight.detach() + 0.5
    grads = [weight.grad for weight in weights if weight.grad is not None]
    kept = [grad.clone() for grad in grads]
    make(card, weights, 0.01).step(_along(weights))
    same = all(torch.equal(grad, old) for grad, old in zip(grads, kept, strict=True))
    must(same, f"{card.name} writes into the gradients")


def strange_gradients_are_taken_or_refused(card: Card) -> None:
    """Sparse and complex gradients give a finite step, or an error that names what is refused."""
    for word in ("sparse", "complex"):
        weight = draw(3, 2).to(torch.cfloat if word == "complex" else torch.float).requires_grad_()
        weight.grad = torch.ones_like(weight).to_sparse() if word == "sparse" else torch.ones_like(weight)
        try:
            with warnings.catch_warnings(action="ignore"):  # PyTorch speaks of sparse tensors' invariants
                make(card, [weight], 0.01).step(lambda: torch.zeros(()))
        except (RuntimeError, ValueError, AtlasError) as error:
            must(
                word in str(error).lower(), f"{card.name} refuses {word} gradients without saying so: {error}"
            )
        must(bool(torch.isfinite(weight.detach().abs()).all()), f"{card.name} spoils {word} weights")


def groups_keep_their_rates(card: Card) -> None:
    """A group at rate 0 rests bit for bit, and the other moves: with closures that may be called often."""
    params, loss = _problem()
    before = [param.detach().clone() for param in params]
    groups = [{"params": params[:1]}, {"params": params[1:], "lr": 0.0}]
    _walk(make(card, groups, 0.02), loss, 3)
    must(torch.equal(params[1].detach(), before[1]), f"{card.name} moves a group at rate 0")
    moved = not torch.equal(params[0].detach(), before[0])
    must(moved, f"{card.name} leaves a group as it was because another has rate 0")


LAWS: tuple[Check, ...] = (
    descends_a_parabola,
    descends_rosenbrock,
    state_round_trips,
    groups_stand_alone,
    closures_are_called,
    every_shape_moves,
    nothing_stays_nothing,
    gradients_are_left_alone,
    strange_gradients_are_taken_or_refused,
)
# Of what looks at all weights together: its groups are not two optimizers.
JOINT_LAWS: tuple[Check, ...] = tuple(
    groups_keep_their_rates if law is groups_stand_alone else law for law in LAWS
)


def _rates(card: Card, steps: int, restart: int = -1) -> Iterator[float]:
    """The rate before each step; at step `restart` optimizer and schedule are made anew from their states."""
    optimizer, schedule = _scheduled(card)
    for step in range(steps):
        yield optimizer.param_groups[0]["lr"]
        if step == restart:
            states = copy.deepcopy(optimizer.state_dict()), copy.deepcopy(schedule.state_dict())
            optimizer, schedule = _scheduled(card)
            optimizer.load_state_dict(states[0])
            schedule.load_state_dict(states[1])
        optimizer.step()
        schedule.step(*(1.0,) * ("metrics" in inspect.signature(schedule.step).parameters))


def _scheduled(card: Card) -> tuple[Optimizer, Any]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    return optimizer, get(card.name)(optimizer, **card.tiny)


def rates_are_sound(card: Card) -> None:
    """The rate is finite and never negative, and starts above zero somewhere in the first steps."""
    rates = list(_rates(card, 30))
    sound = all(math.isfinite(rate) and rate >= 0 for rate in rates)
    must(sound, f"{card.name} gives a rate below zero or not finite: {rates}")
    must(max(rates[:3]) > 0, f"{card.name} starts with rates of zero")


def schedule_state_round_trips(card: Card) -> None:
    """A schedule made anew from its state goes on exactly as before."""
    for restart in (3, 11):
        got, expected = list(_rates(card, 24, restart)), list(_rates(card, 24))
        must(got == expected, f"{card.name} differs after its state is saved at step {restart}")


SCHEDULE_LAWS: tuple[Check, ...] = (rates_are_sound, schedule_state_round_trips)
