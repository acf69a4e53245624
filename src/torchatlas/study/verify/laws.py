"""The laws of a method, each run and told as a line of its certificate."""

import random
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ...cards.card import Card
from ...cards.certificate import Line
from ...cards.reader import get
from ...engine.learner import Learner
from ..laws import Law, laws_for
from ..laws.law import generating

LONGEST = 300  # characters of a message
KINDS_BY_CLASS: tuple[tuple[str, type], ...] = (
    ("learner", Learner),
    ("optimizer", torch.optim.Optimizer),
    ("schedule", torch.optim.lr_scheduler.LRScheduler),
    ("network", torch.nn.Module),
)


def with_kind(card: Card) -> Card:
    """A user's own thing with the kind that its class tells; any other card as it is."""
    if card.kind != "own":
        return card
    thing = get(card.name)
    kinds = (kind for kind, base in KINDS_BY_CLASS if isinstance(thing, type) and issubclass(thing, base))
    return replace(card, kind=next(kinds, "own"))


def law_lines(card: Card) -> Iterator[Line]:
    """Each law of the card, run from the same state of every generator; what it compiles becomes code."""
    for law in laws_for(with_kind(card)):
        with generating():
            line = run(law.name, page_of(law), law.check)
        yield line


def page_of(law: Law) -> str:
    """The page on which a law is written, relative to the package."""
    check: Any = getattr(law.check, "func", law.check)
    module: str = check.__module__
    return "/".join(module.split(".")[1:]) + ".py"


def run(name: str, page: str, check: Callable[[], Any], kind: str = "law") -> Line:
    """One check as a line: what it raises is its message, what it returns in words too."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    start = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            said = check()
        passes, message = True, said if isinstance(said, str) else ""
    except Exception as error:  # whatever a broken method raises is a failure of that line alone
        passes, message = False, told(error)
    return Line(kind, name, page, passes, message=message, clock=round(time.perf_counter() - start, 3))


def told(error: Exception) -> str:
    """An error in one line, with its type and place where it is not a law's own word."""
    words = " ".join(str(error).split())[:LONGEST]
    if isinstance(error, AssertionError) and words:
        return words
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename.rpartition('/')[2]}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {words}{where}"
