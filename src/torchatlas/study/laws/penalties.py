"""Laws of penalties: one number of a network that descent makes smaller, and that leaves no trace."""

import copy
import inspect
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cards.card import Card
from ...cards.reader import get
from ...nn.regularization.hard_concrete import HardConcrete
from .law import Check, close, draw, must, tiny

ROWS, WIDTH, CLASSES = 6, 5, 3


def subject(seed: int = 0) -> nn.Module:
    """A small net with what penalties look at: weights, dropout, gates."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        layers = (nn.Linear(WIDTH, 7), nn.Tanh(), nn.Dropout(0.3), HardConcrete(7, keep=0.8))
        return nn.Sequential(*layers, nn.Linear(7, CLASSES)).double()


def penalised(
    card: Card, network: nn.Module, seed: int = 3, rows: slice = slice(None), **options: Any
) -> Tensor:
    """The penalty of the network for rows of a small batch, with noise from a seed."""
    dtype = next(network.parameters()).dtype
    x, y = draw(ROWS, WIDTH, seed=1, dtype=dtype)[rows], (torch.arange(ROWS) % CLASSES)[rows]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        value: Tensor = tiny(card, **options)(network, x, network(x), partial(F.cross_entropy, target=y))
        return value


def is_one_number(card: Card) -> None:
    """It is a finite scalar in the network's precision, with a gradient to the network's weights."""
    network = subject()
    value = penalised(card, network)
    must(value.ndim == 0 and bool(torch.isfinite(value)), f"{card.name} gives {value}")
    must(value.dtype == torch.double, f"{card.name} of doubles gives {value.dtype}")
    value.backward()
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    must(any(bool(g.any()) for g in gradients), f"{card.name} has no gradient")
    must(all(bool(g.isfinite().all()) for g in gradients), f"{card.name}'s gradient is not finite")


def leaves_no_trace(card: Card) -> None:
    """The network is afterwards what it was: weights, buffers, modes, gradients."""
    network = subject()
    before, modes = copy.deepcopy(network.state_dict()), [m.training for m in network.modules()]
    penalised(card, network)
    must(
        all(torch.equal(before[k], v) for k, v in network.state_dict().items()),
        f"{card.name} changes weights",
    )
    must(modes == [m.training for m in network.modules()], f"{card.name} changes modes")
    must(all(p.grad is None for p in network.parameters()), f"{card.name} leaves gradients behind")


def strength_is_a_factor(card: Card) -> None:
    """Twice the strength is twice the penalty, none is 0."""
    if "strength" not in inspect.signature(get(card.name)).parameters:
        return
    network = subject()
    one, two, none = (penalised(card, network, strength=s) for s in (0.3, 0.6, 0.0))
    close(two, 2 * one, 1e-9, f"{card.name} of twice the strength")
    must(none.item() == 0, f"{card.name} of no strength is {none}")


def descent_makes_it_smaller(card: Card) -> None:
    """Small steps down its gradient, with the same noise, make it smaller."""
    network = subject()
    first = penalised(card, network).item()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3 / max(1.0, abs(first)))
    for _ in range(5):
        optimizer.zero_grad()
        penalised(card, network).backward()
        optimizer.step()
    must(penalised(card, network).item() < first, f"{card.name} does not become smaller by its own gradient")


def parts_add_up(card: Card) -> None:
    """Where it does not say that it is indivisible, a batch's penalty is the mean of its halves'."""
    network = subject().eval()
    if getattr(tiny(card), "indivisible", ""):
        return
    whole = penalised(card, network)
    if not torch.equal(whole, penalised(card, network, seed=4)):
        return  # it draws noise
    halves = [penalised(card, network, rows=slice(k, k + ROWS // 2)) for k in (0, ROWS // 2)]
    close((halves[0] + halves[1]) / 2, whole, 1e-9, f"{card.name} of two halves")


def autocast_is_near(card: Card) -> None:
    """Under autocast to bfloat16, in which training may call it, it comes near to what it is in single."""
    network = subject().float().eval()  # half precision would draw other noise
    plain = penalised(card, network)
    with torch.autocast("cpu", torch.bfloat16):
        cast = penalised(card, network)
    close(cast, plain, 0.05, f"{card.name} under autocast")
    cast.backward()
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    must(all(bool(g.isfinite().all()) for g in gradients), f"{card.name}'s gradient is not finite")


LAWS: tuple[Check, ...] = (
    is_one_number,
    leaves_no_trace,
    strength_is_a_factor,
    descent_makes_it_smaller,
    parts_add_up,
    autocast_is_near,
)
