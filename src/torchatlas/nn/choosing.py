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
    maker = partial(create, choice) if isinstance(choice, str) else choice
    bound = maker.keywords if isinstance(maker, partial) else {}
    thing = get(maker.args[0]) if isinstance(maker, partial) and maker.func is create else maker
    try:
        asks = set(inspect.signature(thing).parameters)
    except (TypeError, ValueError):  # a function that does not say what it takes
        asks = set()
    told = asks - set(bound) if "channels" in asks else set()  # a `dim` alone is none of channels
    return maker(**{word: value for word, value in words.items() if word in told})
