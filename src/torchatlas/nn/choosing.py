"""Modules by name, told how many channels they stand on."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

from ..cards.reader import create, get

Choice = str | Callable[[], nn.Module]  # a name, its class, or a function that makes one


def chosen(choice: Choice, channels: int, dim: int = 1) -> nn.Module:
    """An activation, or another module, for tensors of so many channels, which lie along a dimension.

    Most activations know nothing of channels. One with parameters for each (its signature has `channels`, and
    `dim` where the channels need not be dimension 1) is told them, unless its maker has bound them already.
    """
    words: dict[str, Any] = {"channels": channels, "dim": dim}
    if isinstance(choice, str):
        choice = partial(create, choice)
    named = isinstance(choice, partial) and choice.func is create
    bound: dict[str, Any] = choice.keywords if named else {}  # type: ignore[union-attr]
    thing = get(choice.args[0]) if named else choice  # type: ignore[union-attr]
    try:
        takes = set(inspect.signature(thing).parameters) - set(bound)
    except (TypeError, ValueError):  # a function that does not say what it takes
        takes = set()
    return choice(**{word: value for word, value in words.items() if word in takes})
