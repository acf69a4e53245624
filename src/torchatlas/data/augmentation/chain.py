"""One augmentation after another."""

from collections.abc import Callable, Sequence

from torch import nn

from ...cards.reader import create

Choice = str | Callable[[], nn.Module]  # a name, its class, or a function that makes one


def chain(chosen: Choice | Sequence[Choice]) -> nn.Sequential:
    """What makes of a batch what every one of the augmentations makes of it, in their order."""
    every: Sequence[Choice] = (chosen,) if isinstance(chosen, str) or callable(chosen) else chosen
    return nn.Sequential(*(create(each) if isinstance(each, str) else each() for each in every))
