"""Weights that others trained, or that lie in a file, in our networks."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ..engine.errors import AtlasError, UsageError
from .image import KeyMap

State = Mapping[str, Tensor]
Network = TypeVar("Network", bound=nn.Module)
SHOWN = 3  # names of weights that a message tells
HUB = {"timm": "timm/{}"}  # where a library keeps its weights on the Hugging Face Hub
LIBRARIES = (*HUB, "torchvision")


def load_weights(
    network: Network, source: "str | Path | State", names: str = "", head: bool = True
) -> Network:
    """Give a network the weights of a file, a state dict, or another library's model; it is returned.

    source: a path that ends in .safetensors; "timm:NAME[.TAG]" from the Hugging Face Hub (extra `hub`), such
    as "timm:resnet50.a1_in1k"; "torchvision:NAME" from PyTorch's server; or a state dict. names: whose names
    a file's or a state dict's weights have ("timm", "torchvision"); ours or theirs, as is seen, without.
    With `head=False` the head keeps its own weights, for other classes than the source's. Names and shapes
    must all fit.
    Raises UsageError where they do not, or the network knows no such names, and AtlasError where the source
    cannot be read.
    """
    state, library = read_weights(source)
    converted = convert(network, state, names or library)
    wanted = network.state_dict()
    if not head:
        own = {name for name in wanted if "head" in name.split(".")}  # auxiliary heads' too
        kept = {name: tensor for name, tensor in converted.items() if "head" not in name.split(".")}
        converted = kept | {name: wanted[name] for name in own}
    if said := unlike(converted, wanted):
        raise UsageError(
            f"the weights are not those of this {type(network).__name__}: {said}. Build it with the options "
            "that they were trained with; for other classes say head=False"
        )
    network.load_state_dict({**wanted, **converted})
    return network


def convert(network: nn.Module, state: State, library: str = "") -> dict[str, Tensor]:
    """A state dict under our network's names: from a library's, or from those that it has most of."""
    maps: Mapping[str, KeyMap] = getattr(network, "key_maps", {})
    if library and library not in maps:
        known = f"it knows those of {', '.join(maps)}" if maps else "it knows its own alone"
        raise UsageError(f"{type(network).__name__} knows no names of {library}'s weights; {known}")
    wanted = network.state_dict()
    ways = [maps[library]] if library else [(), *maps.values()]
    found = min((_renamed(state, way) for way in ways), key=lambda found: len(wanted.keys() ^ found.keys()))
    return {name: _shaped(tensor, wanted.get(name, tensor)) for name, tensor in found.items()}


def _shaped(tensor: Tensor, wanted: Tensor) -> Tensor:
    """A tensor in the wanted shape, where only sides of 1 tell them apart: a linear map is a 1×1 filter."""
    alike = [side for side in tensor.shape if side > 1] == [side for side in wanted.shape if side > 1]
    return tensor.reshape(wanted.shape) if alike else tensor


def _renamed(state: State, way: KeyMap) -> dict[str, Tensor]:
    rules = [(re.compile(pattern), new) for pattern, new in way]
    renamed = {}
    for name, tensor in state.items():
        for pattern, new in rules:
            name = pattern.sub(new, name)
        if name:  # a rule that leaves nothing drops what we have no use for
            renamed[name] = tensor
    return renamed


def unlike(state: State, wanted: State) -> str:
    """In what weights differ from those that are wanted; "" where all names and shapes fit."""
    counts = {name for name in wanted if name.endswith("num_batches_tracked")}  # old files have none
    missing = [name for name in wanted if name not in state and name not in counts]
    foreign = [name for name in state if name not in wanted]
    wrong = [
        f"{name} {tuple(state[name].shape)} for {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in state and state[name].shape != tensor.shape
    ]
    told = [("missing", missing), ("not known here", foreign), ("of another shape", wrong)]
    return "; ".join(f"{len(names)} {what} ({_some(names)})" for what, names in told if names)


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (" …" if len(names) > SHOWN else "")


def read_weights(source: "str | Path | State") -> tuple[State, str]:
    """The weights of a source, and the library whose names they have; "" where it does not say."""
    if isinstance(source, Mapping):
        return source, ""
    library, _, name = str(source).partition(":")
    if library == "torchvision" and name:
        return _of_torchvision(name), library
    if library in HUB and name:
        return _of_hub(HUB[library].format(name)), library
    path = Path(source).expanduser()
    if path.suffix != ".safetensors":
        raise UsageError(
            f"{source}: weights are timm:NAME, torchvision:NAME or a file that ends in .safetensors"
        )
    return _of_file(path), ""


def _of_file(path: Path) -> State:
    try:
        return load_file(path)
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}: name one of weights that ends in .safetensors") from error
    except (OSError, SafetensorError) as error:
        why = " ".join(str(error).split())
        raise AtlasError(
            f"{path} holds no weights that can be read ({why}): fetch or write it again"
        ) from error


def _of_hub(repository: str) -> State:
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise UsageError(
            "weights of timm come through the extra hub: pip install 'torchatlas[hub]'"
        ) from error
    try:
        return _of_file(Path(hf_hub_download(repository, "model.safetensors")))
    except (OSError, ValueError) as error:  # no connection, no such model, no room; a name that cannot be one
        cure = "fetch its model.safetensors elsewhere and name that file"
        raise _offline(f"https://huggingface.co/{repository}", error, cure) from error


def _of_torchvision(name: str) -> State:
    """By torchvision itself, which knows where its files lie."""
    try:
        from torchvision.models import get_model_weights
    except ImportError as error:
        raise UsageError(
            "weights of torchvision need it beside: pip install 'torchatlas[torchvision]'"
        ) from error
    try:
        weights: Any = get_model_weights(name)
    except ValueError as error:
        raise UsageError(f"torchvision has no model {name!r}") from error
    try:
        state: State = weights.DEFAULT.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:
        cure = f"fetch it elsewhere and put it into {Path(torch.hub.get_dir()) / 'checkpoints'}"
        raise _offline(weights.DEFAULT.url, error, cure) from error
    return state


def _offline(address: str, error: Exception, cure: str) -> AtlasError:
    why = " ".join(str(error).split())[:200]
    return AtlasError(f"{address} cannot be fetched ({why}). Without a connection, {cure}")
