"""Laws of attacks: the ball and the range are kept, the loss rises, and the model notices nothing."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ...cards.card import Card
from ...cards.reader import get
from .law import Check, close, draw, must, tiny

ROWS, SHAPE, CLASSES = 8, (2, 3, 3), 4
SIZES = (8 / 255, 0.1, 0.3)


def small_model(dtype: torch.dtype = torch.float32, linear: bool = False) -> nn.Module:
    """A classifier of (b, 2, 3, 3) with a norm and dropout, its modes mixed; or one affine map."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        wide = 18
        if linear:
            return nn.Sequential(nn.Flatten(), nn.Linear(wide, CLASSES)).to(dtype)
        parts = (nn.Linear(wide, 32), nn.BatchNorm1d(32), nn.Tanh(), nn.Dropout(0.5), nn.Linear(32, CLASSES))
        model = nn.Sequential(nn.Flatten(), *parts).to(dtype)
    model[2].eval()
    return model


def inputs(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Images in 0..1, some pixels at the ends of the range, and classes."""
    x = (draw(ROWS, *SHAPE, dtype=dtype) / 2 + 0.5).clamp(0, 1)
    return x, torch.arange(ROWS) % CLASSES


def noticed(model: nn.Module) -> list[Any]:
    """All that must not change in a model that is looked at."""
    state = [tensor.clone() for tensor in model.state_dict().values()]
    hooks = [len(part._forward_hooks) + len(part._forward_pre_hooks) for part in model.modules()]
    modes = [part.training for part in model.modules()]
    return [state, [p.grad for p in model.parameters()], modes, hooks]


def must_not_notice(model: nn.Module, look: Callable[[], Any], name: str) -> None:
    """Weights, buffers, gradients, modes and what takes a gradient are afterwards what they were."""
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    before, wants = noticed(model), [p.requires_grad for p in model.parameters()]
    look()
    after = noticed(model)
    same = all(map(torch.equal, before[0], after[0]))
    must(same, f"{name} changes the model's weights or buffers")
    same = all(a is b and bool((a == 1).all()) for a, b in zip(before[1], after[1], strict=True))
    must(same, f"{name} changes the gradients that the model's parameters hold")
    must(before[2] == after[2], f"{name} leaves parts of the model in another mode")
    must(before[3] == after[3], f"{name} leaves hooks in the model")
    must(wants == [p.requires_grad for p in model.parameters()], f"{name} freezes or thaws parameters")


def _balls(card: Card) -> Iterator[tuple[str, Callable[..., Tensor]]]:
    """The attack in each norm that it knows."""
    knows = "norm" in inspect.signature(get(card.name)).parameters
    for norm in ("linf", "l2") if knows else ("linf",):
        yield norm, tiny(card, **({"norm": norm} if knows else {}))


def _seeded(card: Card) -> dict[str, torch.Generator]:
    draws = "generator" in inspect.signature(get(card.name)).parameters
    return {"generator": torch.Generator().manual_seed(1)} if draws else {}


def _loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    model.eval()
    with torch.no_grad():
        return cross_entropy(model(x), y, reduction="none")


def stays_in_its_ball_and_range(card: Card) -> None:
    """No pixel of x' is further away than epsilon, or outside the range: exactly, in two precisions."""
    for dtype in (torch.float32, torch.float64):
        x, y = inputs(dtype)
        for norm, attack in _balls(card):
            for size in SIZES:
                moved = attack(small_model(dtype), x, y, epsilon=size, low=0.0, high=1.0, **_seeded(card))
                must(moved.shape == x.shape and moved.dtype == dtype, f"{card.name} gives another form of x")
                must(not moved.requires_grad, f"{card.name} hands out its graph")
                must(bool(((moved >= 0) & (moved <= 1)).all()), f"{card.name} leaves the range 0 to 1")
                far = (moved.double() - x.double()).flatten(1)
                reach = far.abs().amax(1) if norm == "linf" else far.norm(dim=1)
                slack = 1e-12 if dtype == torch.float64 else 0.0
                worst = float(reach.max())
                must(worst <= size * (1 + slack), f"{card.name} ({norm}) goes {worst!r} far, not {size!r}")
                must(worst > 0.9 * size, f"{card.name} ({norm}) goes only {worst!r} of the {size!r} it may")


def epsilon_zero_changes_nothing(card: Card) -> None:
    """With a ball of one point, x' is x."""
    x, y = inputs()
    for norm, attack in _balls(card):
        moved = attack(small_model(), x, y, epsilon=0.0, **_seeded(card))
        must(torch.equal(moved, x), f"{card.name} ({norm}) moves x where epsilon is 0")


def raises_the_loss(card: Card) -> None:
    """Of a linear model, each sample's loss rises; of a curved one, the mean rises more than by any noise."""
    x, y = inputs(torch.float64)
    for norm, attack in _balls(card):
        for linear in (True, False):
            model = small_model(torch.float64, linear)
            before = _loss(model, x, y)
            moved = attack(model, x, y, epsilon=0.1, **_seeded(card))
            after = _loss(model, moved, y)
            rose = bool((after > before).all()) if linear else bool(after.mean() > before.mean())
            must(
                rose,
                f"{card.name} ({norm}) does not raise the loss of a {'linear' * linear or 'curved'} model",
            )
            length = (moved - x).flatten(1).norm(dim=1).view(-1, 1, 1, 1)
            noise = draw(ROWS, *SHAPE, seed=3, dtype=torch.float64).sign()
            noise = noise * length / noise.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
            by_noise = _loss(model, (x + noise).clamp(0, 1), y)
            must(bool(after.mean() > by_noise.mean()), f"{card.name} ({norm}) does no more than noise does")


def a_target_is_approached(card: Card) -> None:
    """With `targeted`, the loss of the class that the model shall see falls."""
    x, y = inputs(torch.float64)
    for norm, attack in _balls(card):
        model = small_model(torch.float64, linear=True)
        moved = attack(model, x, y, epsilon=0.1, targeted=True, **_seeded(card))
        fell = bool((_loss(model, moved, y) < _loss(model, x, y)).all())
        must(fell, f"{card.name} ({norm}) does not come nearer to its target")


def the_model_notices_nothing(card: Card) -> None:
    """Weights, batch statistics, gradients and modes are afterwards what they were, and x is too."""
    x, y = inputs()
    kept = x.clone()
    for _, attack in _balls(card):
        model = small_model()
        must_not_notice(model, lambda: attack(model, x, y, **_seeded(card)), card.name)  # noqa: B023
        must(torch.equal(x, kept) and not x.requires_grad, f"{card.name} changes its input")


def rows_do_not_meet(card: Card) -> None:
    """A row's x' is the same alone as among others, where nothing is drawn; evaluation mode is used."""
    x, y = inputs(torch.float64)
    still = {"random_start": False} if "random_start" in inspect.signature(get(card.name)).parameters else {}
    for norm, attack in _balls(card):
        together = attack(small_model(torch.float64), x, y, **still)
        alone = attack(small_model(torch.float64), x[2:3], y[2:3], **still)
        close(together[2:3], alone, 1e-9, f"{card.name} ({norm}): a row alone")


def the_generator_decides(card: Card) -> None:
    """What is drawn comes from the generator alone: the same state gives the same x'."""
    x, y = inputs()
    for norm, attack in _balls(card):
        state = torch.random.get_rng_state()
        first = attack(small_model(), x, y, **_seeded(card))
        used = bool(_seeded(card)) and not torch.equal(state, torch.random.get_rng_state())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(99)
            again = attack(small_model(), x, y, **_seeded(card))
        must(not used, f"{card.name} ({norm}) draws from the default generator beside its own")
        must(torch.equal(first, again), f"{card.name} ({norm}): the same generator gives another x'")


LAWS: tuple[Check, ...] = (
    stays_in_its_ball_and_range,
    epsilon_zero_changes_nothing,
    raises_the_loss,
    a_target_is_approached,
    the_model_notices_nothing,
    rows_do_not_meet,
    the_generator_decides,
)
