"""Published figures of a method, counted here at full size without memory."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch

from ...cards.card import Card
from ...cards.certificate import Line
from ...cards.reader import create
from ...inspection.cost import count_macs, count_params
from ..laws.law import must
from ..laws.networks import input_shape
from .laws import run

SETTINGS = {"at", "steps"}  # figures that say how to count, or how long a law may take


def _full(card: Card) -> Any:
    """The network as published, on the meta device."""
    with torch.device("meta"):
        return create(card.name, **card.figures.get("at", {}))


def _parameters(card: Card) -> int:
    return count_params(_full(card)).total


def _multiply_adds(card: Card) -> int:
    """For one input."""
    shape = input_shape(replace(card, tiny=card.figures.get("at", {})))
    return count_macs(_full(card), torch.zeros(1, *shape, device="meta")).total


COUNTS: dict[str, Callable[[Card], int]] = {"parameters": _parameters, "multiply_adds": _multiply_adds}


def figure_lines(card: Card) -> Iterator[Line]:
    """Each published figure beside what is counted; one that nothing here counts has no verdict."""
    for name, stated in card.figures.items():
        if name in SETTINGS:
            continue
        count = COUNTS.get(name)
        if count is None or card.kind != "network":
            yield Line("figure", name, card.page, message=f"{stated}: published, not counted here")
            continue

        def check(count: Callable[[Card], int] = count, name: str = name, stated: int = stated) -> str:
            found = count(card)
            must(found == stated, f"{found:,} {name} counted, {stated:,} published")
            return f"{found:,}"

        yield run(name, card.page, check, "figure")
