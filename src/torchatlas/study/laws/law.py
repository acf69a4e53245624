"""A law: one named check that a method of its kind must pass, whoever asks."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from shutil import which
from typing import Any

import torch
from torch import Tensor, nn

from ...cards.card import Card
from ...cards.reader import create

Check = Callable[[Card], None]
FUSED = 20
COMPILERS = ("g++", "c++", "clang++")
generates = False  # whether `same_when_traced` has code generated: seconds for each law


class LawBroken(AssertionError):
    """A method does not keep a law of its kind; the message says how."""


@dataclass(frozen=True, slots=True)
class Law:
    """One check of one method: `check()` returns where the law holds and raises AssertionError where not."""

    name: str
    check: Callable[[], None]

    @classmethod
    def of(cls, check: Check, card: Card) -> "Law":
        """The law that a function of a card states, under the function's name."""
        return cls(check.__name__, partial(check, card))


def must(condition: bool, message: str) -> None:
    """Raise `LawBroken` unless the condition holds (an `assert` would vanish under `python -O`)."""
    if not condition:
        raise LawBroken(message)


def close(got: Tensor, expected: Tensor, tolerance: float, what: str) -> None:
    """Raise `LawBroken` unless two tensors agree to a tolerance, relative where they are large."""
    torch.testing.assert_close(
        got, expected, rtol=tolerance, atol=tolerance, check_dtype=False, msg=lambda text: f"{what}: {text}"
    )


def tiny(card: Card, **options: Any) -> Any:
    """The method in its card's smallest useful setting."""
    return create(card.name, **{**card.tiny, **options})


def same_when_traced(module: nn.Module, *inputs: Any, tolerance: float = 1e-6, what: str = "") -> None:
    """Raise `LawBroken` unless `torch.compile` takes the module in one graph and its exported program agrees.

    Values and the gradients of every floating input are compared, compiled against eager; the exported
    program's values too. One graph also means that nothing waits for a device. Without `generating`,
    compiling ends before code is generated. Generated code has functions of its own, and a tolerance `FUSED`
    times as wide.
    """
    backend, wide = ("inductor", FUSED) if generates else ("aot_eager", 1)
    eager = _values_and_gradients(module, inputs)
    torch._dynamo.reset()
    compiled = torch.compile(module, fullgraph=True, backend=backend, dynamic=False)
    with warnings.catch_warnings():  # dynamo makes an instance of every autograd.Function, and warns of it
        warnings.filterwarnings("ignore", ".*should not be instantiated", DeprecationWarning)
        traced = _values_and_gradients(compiled, inputs)
    for got, expected in zip(traced, eager, strict=True):
        close(got, expected, wide * tolerance, f"{what} compiled")
    with torch.no_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*should not be instantiated", DeprecationWarning)
        exported = torch.export.export(module, inputs).module()
        close(_only(exported(*inputs)), _only(module(*inputs)), tolerance, f"{what} exported")


@contextmanager
def generating() -> Iterator[None]:
    """Laws within have code generated for what they compile, where there is a compiler for it."""
    global generates
    before, generates = generates, any(map(which, COMPILERS))
    try:
        yield
    finally:
        generates = before


def _values_and_gradients(call: Any, inputs: tuple[Any, ...]) -> list[Tensor]:
    leaves = [x.detach().clone().requires_grad_() if _is_real(x) else x for x in inputs]
    value = _only(call(*leaves))
    wanted = [x for x in leaves if _is_real(x)]
    if not value.requires_grad:
        return [value]
    return [
        value.detach(),
        *torch.autograd.grad(value.sum(), wanted, allow_unused=True, materialize_grads=True),
    ]


def _only(output: Any) -> Tensor:
    tensor: Tensor = output[0] if isinstance(output, tuple | list) else output
    return tensor


def _is_real(x: Any) -> bool:
    return isinstance(x, Tensor) and x.is_floating_point()


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Normal numbers, the same for the same seed."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)
