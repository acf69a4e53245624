"""A law: one named check that a method of its kind must pass, whoever asks."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ...cards.card import Card
from ...cards.reader import create

Check = Callable[[Card], None]


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


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Normal numbers, the same for the same seed."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)
