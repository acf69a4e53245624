"""Networks for data: a name or a class, and what the data says of its sizes."""

import inspect
import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from torch import nn

from ..cards.reader import create, find, get
from ..engine.errors import UsageError

if TYPE_CHECKING:
    from ..data.spec import Spec

Maker = str | Callable[..., nn.Module]  # a network's name, its class, or a function that makes one


def from_data(thing: Callable[..., Any], spec: "Spec", outputs: int | None = None) -> dict[str, Any]:
    """The constructor words that the data answers, those that the signature has.

    They are `num_classes` (or the `outputs` that are said), `in_channels`, `in_features`, for images
    `input_size`, for text `context`. Raises ValueError where the thing takes other data than this.
    """
    known: dict[str, Any] = {
        "num_classes": spec.outputs if outputs is None else outputs,
        "in_channels": spec.shape[0],
        "in_features": math.prod(spec.shape),
    }
    if spec.modality == "image":
        known["input_size"] = spec.shape[1:]
    if spec.modality == "text":
        known["context"] = spec.shape[0]
    words = inspect.signature(thing).parameters
    if spec.modality != "text" and "context" in words and "in_features" not in words:
        raise ValueError("it reads text, and this data is none; say --data text:PATH")
    if spec.modality == "table" and "in_channels" in words and "in_features" not in words:
        raise ValueError("it takes images, and this data is a table; mlp takes tables")
    return {word: value for word, value in known.items() if word in words}


def network_for(spec: "Spec", network: Maker, outputs: int | None = None) -> nn.Module:
    """A network for data of this spec, with as many outputs as the data has classes, or as are said.

    Raises UsageError for what is no network, and for a network of images where data is a table.
    """
    thing = _unwrapped(network)
    try:
        made = thing(**from_data(thing, spec, outputs))
    except ValueError as error:
        raise UsageError(f"{network} cannot be built for this data: {error}") from error
    if not isinstance(made, nn.Module):
        raise UsageError(f"{network} made a {type(made).__name__}, not an nn.Module")
    return made


def _unwrapped(network: Maker) -> Callable[..., nn.Module]:
    """What makes the network, with the signature that tells its words."""
    options: dict[str, Any] = {}
    if isinstance(network, partial) and network.func is create:  # how a recipe holds a name with options
        options, network = network.keywords, str(network.args[0])
    if not isinstance(network, str):
        return network
    card = find(network)
    if card.kind not in ("network", "own"):
        raise UsageError(f"{network} is no network (it is a {card.kind}): lenet5 and mlp are")
    return partial(get(network), **options) if options else get(network)
