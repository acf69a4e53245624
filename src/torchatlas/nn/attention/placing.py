"""Attention by name, told how many channels it stands on, and put behind any block of a network."""

import inspect
from collections.abc import Callable

from torch import nn

from ...engine.errors import UsageError
from ..choosing import chosen

Choice = str | Callable[..., nn.Module] | None  # a name, its class, a function that makes one, or none


def attention(choice: Choice, channels: int) -> nn.Module:
    """An attention module for maps of so many channels; None or "none" is the identity.

    A choice whose signature has `channels` is told them, unless its maker has bound them already. Raises
    UsageError for what cannot stand behind a block: a module that wants two maps.
    """
    if choice is None or choice == "none":
        return nn.Identity()
    module = chosen(choice, channels)
    words = inspect.signature(module.forward).parameters.values()
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    if sum(word.default is word.empty and word.kind not in several for word in words) > 1:
        raise UsageError(f"{choice!r} wants more than one map, so it cannot stand behind a block")
    return module


def attend(network: nn.Module, **places: Choice) -> nn.Module:
    """Put attention behind named blocks of a network: `attend(net, **{"stages.1": "se", "stages.2": "eca"})`.

    Each named module is exchanged in place for itself with the attention after it. Its channels are those
    that its last layer with a number of channels gives. A network that is used already keeps its weights
    under longer names ("stages.1.0…"). Returns the network. Raises UsageError where a name leads nowhere, or
    the channels cannot be seen; the network is then as it was.
    """
    made = {path: nn.Sequential(*_behind(network, path, choice)) for path, choice in places.items()}
    for path in sorted(made, key=lambda path: path.count("."), reverse=True):  # what lies within others first
        parent, _, name = path.rpartition(".")
        network.get_submodule(parent).add_module(name, made[path])
    return network


def _behind(network: nn.Module, path: str, choice: Choice) -> tuple[nn.Module, nn.Module]:
    try:
        block = network.get_submodule(path)
    except AttributeError as error:
        raise UsageError(f"the network has no module {path!r}: {error}") from error
    if block is network:
        raise UsageError("name a module inside the network, not the network itself")
    module = attention(choice, _channels(block, path))
    like = next((tensor for tensor in block.parameters() if tensor.is_floating_point()), None)
    if like is not None:
        module.to(like.device, like.dtype)
    return block, module.train(block.training)


def _channels(block: nn.Module, path: str) -> int:
    """The channels that a block gives: those of the last layer in it that says so."""
    for module in reversed(list(block.modules())):
        for word in ("out_channels", "num_features", "num_channels"):
            if isinstance(count := getattr(module, word, None), int):
                return count
    raise UsageError(f"{path!r} has no layer that says how many channels it gives")
