"""Laws of positions, by their contract: what is added, what turns queries and keys, what bears on scores.

A position says by its `forward` which it is: (x) is added to embeddings; (q, k) that gives two turns queries
and keys; (q, k) that gives one is a bias of scores. What embeds ids itself keeps only what needs no
contract.
"""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ...cards.card import Card
from ...nn.positions.scored import AbstractScoredPosition
from .law import Check, close, draw, must, same_when_traced, tiny

PLACES, HEADS = 5, 2
BIG = 1e4


def _position(card: Card, seed: int = 0) -> nn.Module:
    """The position in its tiny setting, its weights drawn from a seed, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        position: nn.Module = tiny(card).eval()
    return position


def _words(position: nn.Module) -> list[str]:
    return list(inspect.signature(position.forward).parameters)


def _inputs(card: Card, position: nn.Module, seed: int = 0, dtype: torch.dtype = torch.float32) -> Any:
    """Embeddings (x,) of the card's width, or queries and keys; the ids of what embeds them."""
    if _words(position) == ["ids"]:
        return (torch.arange(2 * PLACES).reshape(2, PLACES) % 7,)
    if _words(position) == ["x"]:
        places = (PLACES, PLACES - 1) if "columns" in card.tiny else (PLACES,)
        return (draw(2, *places, card.tiny["width"], seed=seed, dtype=dtype),)
    width = card.tiny.get("head_width", 4)
    return tuple(draw(2, HEADS, PLACES, width, seed=seed + k, dtype=dtype) for k in range(2))


def _of(*words: str) -> Callable[[Callable[[Card, nn.Module], None]], Check]:
    """A law of the positions whose forward takes these words."""

    def decide(check: Callable[[Card, nn.Module], None]) -> Check:
        @wraps(check)
        def law(card: Card) -> None:
            position = _position(card)
            if _words(position) == list(words):
                check(card, position)

        return law

    return decide


def _is_bias(position: nn.Module) -> bool:
    return isinstance(position, AbstractScoredPosition)


@_of("x")
def adds_the_same_to_all(card: Card, position: nn.Module) -> None:
    """What is added depends on the place alone, and keeps shape and type."""
    (x,) = _inputs(card, position.double(), dtype=torch.double)
    y = position(x)
    must(y.shape == x.shape and y.dtype == x.dtype, f"{card.name} made {tuple(y.shape)} of {tuple(x.shape)}")
    added = y - x
    close(added[1], added[0], 1e-12, f"{card.name} adds to the second sample")
    close(position(3 * x) - 3 * x, added, 1e-12, f"{card.name} adds to other numbers")


@_of("x")
def places_differ(card: Card, position: nn.Module) -> None:
    """No two places are given the same."""
    with torch.no_grad():
        for parameter in position.parameters():
            parameter.add_(draw(1, *parameter.shape, seed=1)[0])
        (x,) = _inputs(card, position)
        rows = (position(x) - x)[0].flatten(0, -2)
    apart = torch.cdist(rows, rows) + torch.eye(len(rows))
    must(bool((apart > 1e-4).all()), f"{card.name} gives two places the same")


@_of("x")
def shorter_is_the_beginning(card: Card, position: nn.Module) -> None:
    """What a place is given does not depend on how many follow it."""
    (x,) = _inputs(card, position)
    fewer = (slice(None), *[slice(3)] * (x.ndim - 2))
    close(position(x[fewer]), position(x)[fewer], 1e-6, f"{card.name} of fewer places")


@_of("q", "k")
def turning_keeps_lengths(card: Card, position: nn.Module) -> None:
    """What turns queries and keys keeps their lengths, and leaves the first place's as it is."""
    if _is_bias(position):
        return
    pair = _inputs(card, position, dtype=torch.double)
    for old, new in zip(pair, position(*pair), strict=True):
        must(new.shape == old.shape and new.dtype == old.dtype, f"{card.name} made {tuple(new.shape)}")
        close(new.norm(dim=-1), old.norm(dim=-1), 1e-9, f"{card.name}'s lengths")
        close(new[..., 0, :], old[..., 0, :], 1e-12, f"{card.name} at the first place")


def _scores(position: nn.Module, q: Tensor, k: Tensor) -> Tensor:
    """What of attention's scores a position decides."""
    if _is_bias(position):
        return torch.as_tensor(position(q, k)).expand(*q.shape[:2], -1, -1)
    turned_q, turned_k = position(q, k)
    return turned_q @ turned_k.mT


@_of("q", "k")
def scores_depend_on_distance(card: Card, position: nn.Module) -> None:
    """Equal tokens get scores that depend on the distance alone, and not all the same."""
    q, k = (x[:, :, :1].expand(-1, -1, PLACES, -1) for x in _inputs(card, position.double(), 0, torch.double))
    scores = _scores(position, q, k)
    must(scores.shape == (2, HEADS, PLACES, PLACES), f"{card.name} gives scores {tuple(scores.shape)}")
    close(scores[..., 1:, 1:], scores[..., :-1, :-1], 1e-9, f"{card.name}'s scores a place further")
    spread = scores[..., -1, :].amax(-1) - scores[..., -1, :].amin(-1)
    must(bool((spread > 1e-6).all()), f"{card.name} does not tell places apart")


@_of("q", "k")
def fewer_queries_are_the_last(card: Card, position: nn.Module) -> None:
    """Of fewer queries than keys each gets what it gets among all: they are the last ones."""
    q, k = _inputs(card, position)
    whole = _scores(position, q, k)
    for first in (PLACES - 1, PLACES - 2):
        got = _scores(position, q[:, :, first:], k)
        close(got, whole[..., first:, :], 1e-5, f"{card.name} for the last {PLACES - first} queries")


@_of("q", "k")
def attention_is_masked(card: Card, position: nn.Module) -> None:
    """Attention with a bias is a mean of values, and what the mask hides does not count."""
    if not isinstance(position, AbstractScoredPosition):
        return
    q, k = _inputs(card, position)
    v = draw(*k.shape, seed=5)
    mask = torch.ones(PLACES, PLACES, dtype=torch.bool).tril()
    got = position.attend(q, k, v, mask)
    must(got.shape == v.shape and bool(got.isfinite().all()), f"{card.name} attends to {tuple(got.shape)}")
    other_k, other_v = k.clone(), v.clone()
    other_k[:, :, -1], other_v[:, :, -1] = 3.0, 7.0
    changed = position.attend(q, other_k, other_v, mask)
    close(changed[:, :, :-1], got[:, :, :-1], 1e-5, f"{card.name} looks ahead of its mask")


class _Whole(nn.Module):
    """All that a position gives as one row of real numbers; of a bias, what attention makes of it too."""

    def __init__(self, position: nn.Module):
        super().__init__()
        self.position = position

    def forward(self, *inputs: Tensor) -> Tensor:
        given = self.position(*inputs)
        outputs = [*given] if isinstance(given, tuple) else [given]
        if isinstance(self.position, AbstractScoredPosition):
            outputs.append(self.position.attend(inputs[0], inputs[1], inputs[1]))
        real = [torch.view_as_real(y) if y.is_complex() else y for y in outputs]
        return torch.cat([y.flatten() for y in real])


def gradient_is_right(card: Card) -> None:
    """Autograd agrees with finite differences, by each input and parameter."""
    whole = _Whole(_position(card).double())
    inputs = _inputs(card, whole.position, 1, torch.double)
    real = [x for x in inputs if x.is_floating_point()]
    names = [name for name, _ in whole.named_parameters()]

    def of(*leaves: Tensor) -> Tensor:
        named = dict(zip(names, leaves[len(real) :], strict=True))
        value: Tensor = functional_call(whole, named, tuple(leaves[: len(real)]) or inputs)
        return value

    leaves = [t.detach().clone().requires_grad_() for t in (*real, *whole.parameters())]
    torch.autograd.gradcheck(of, leaves, fast_mode=True)


def empty_batches_pass(card: Card) -> None:
    """A batch without samples gives an output without samples."""
    whole = _Whole(_position(card))
    empty = tuple(x[:0] for x in _inputs(card, whole.position))
    given = whole.position(*empty)
    shared = (
        isinstance(whole.position, AbstractScoredPosition) and given.ndim == 3
    )  # the same for all samples
    must(
        shared or _first(given).shape[0] == 0, f"{card.name} made {tuple(_first(given).shape)} of no samples"
    )
    whole(*empty)


def _first(given: Any) -> Tensor:
    tensor: Tensor = given[0] if isinstance(given, tuple) else given
    return tensor


def extremes_stay_finite(card: Card) -> None:
    """Values and gradients are finite for zeros and for large numbers."""
    whole = _Whole(_position(card))
    for factor in (0.0, BIG):
        inputs = [x * factor if x.is_floating_point() else x for x in _inputs(card, whole.position)]
        real = [x.requires_grad_() for x in inputs if x.is_floating_point()]
        y = whole(*inputs)
        wanted = [*real, *whole.parameters()]
        gradients = torch.autograd.grad(y.sum(), wanted, allow_unused=True, materialize_grads=True)
        sound = bool(y.isfinite().all()) and all(bool(g.isfinite().all()) for g in gradients)
        must(sound, f"{card.name} is not finite at {factor} times normal numbers")


def half_precision_is_near(card: Card) -> None:
    """bfloat16 and float16, and autocast to bfloat16, come near to float32; the types are kept."""
    position = _position(card)
    if _words(position) == ["ids"]:  # PyTorch has no complex numbers of half precision on every device
        return
    inputs = _inputs(card, position)
    expected = _Whole(position)(*inputs)
    for dtype, tolerance in ((torch.bfloat16, 5e-2), (torch.float16, 1e-2)):
        whole = _Whole(_position(card).to(dtype))
        got = whole(*(x.to(dtype) for x in inputs))
        must(got.dtype == dtype, f"{card.name} made {got.dtype} of {dtype}")
        close(got.float(), expected, tolerance, f"{card.name} in {dtype}")
    with torch.autocast("cpu", torch.bfloat16):
        close(_Whole(position)(*inputs).float(), expected, 5e-2, f"{card.name} under autocast")


def compiles_and_exports(card: Card) -> None:
    """`torch.compile` takes it in one graph and `torch.export` exports it; both agree with eager mode."""
    whole = _Whole(_position(card))
    if _words(whole.position) == ["ids"]:
        whole.requires_grad_(False)  # ids have no gradients to compare
    same_when_traced(whole, *_inputs(card, whole.position), tolerance=1e-5, what=card.name)


def builds_without_memory(card: Card) -> None:
    """It is built on the meta device without reading a value."""
    with torch.device("meta"):
        position = tiny(card)
    places = {t.device.type for t in (*position.parameters(), *position.buffers())}
    must(places <= {"meta"}, f"{card.name} makes tensors on {', '.join(sorted(places - {'meta'}))}")


LAWS: tuple[Check, ...] = (
    adds_the_same_to_all,
    places_differ,
    shorter_is_the_beginning,
    turning_keeps_lengths,
    scores_depend_on_distance,
    fewer_queries_are_the_last,
    attention_is_masked,
    gradient_is_right,
    empty_batches_pass,
    extremes_stay_finite,
    half_precision_is_near,
    compiles_and_exports,
    builds_without_memory,
)
