"""What a method costs before anything is trained: parameters, multiply-adds, activations, layer by layer."""

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...cards.reader import create, find, get
from ...engine.errors import UsageError
from ...inspection.calling import WHOLE
from ...inspection.cost import Count, count_macs, count_params
from ...inspection.memory import count_activations
from ..training.faults import told
from ..training.words import part

KINDS = ("network", "layer", "norm", "pool", "activation", "own")  # modules that take one tensor
USUAL = {"num_classes": 10, "in_channels": 3, "in_features": 784}  # where neither signature nor user says
SIZE = (32, 32)
INPUT = "input"  # the shape of the input, where it does not follow from the options
COLUMNS = ("parameters", "multiply_adds", "activation_bytes")


@dataclass(frozen=True)
class Cost:
    """The cost of one call: of each layer, by its name, a number for each of `COLUMNS`."""

    name: str
    input: tuple[int, ...]
    options: dict[str, Any]
    layers: dict[str, tuple[int, int, int]]

    @property
    def total(self) -> tuple[int, int, int]:
        """The sums over all layers."""
        columns = list(zip(*self.layers.values(), strict=True)) or [(), (), ()]
        return (sum(columns[0]), sum(columns[1]), sum(columns[2]))

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        named = {layer: dict(zip(COLUMNS, row)) for layer, row in self.layers.items()}
        total = dict(zip(COLUMNS, self.total))
        options = {
            key: value if isinstance(value, bool | int | float | str) else str(value)
            for key, value in self.options.items()
        }
        return {
            "name": self.name,
            "input": list(self.input),
            "options": options,
            "layers": named,
            "total": total,
        }

    def text(self) -> str:
        """As a table."""
        heads = ("layer", "parameters", "multiply-adds", "activations")
        rows = [(layer, f"{p:,}", f"{m:,}", in_bytes(a)) for layer, (p, m, a) in self.layers.items()]
        p, m, a = self.total
        rows.append(("total", f"{p:,}", f"{m:,}", in_bytes(a)))
        widths = [max(len(row[k]) for row in [heads, *rows]) for k in range(4)]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))])
            for row in [heads, *rows]
        ]
        said = "".join(f", {key}={value}" for key, value in self.options.items())
        return "\n".join([f"{self.name}, one call on an input of {self.input}{said}", *lines])


def cost(name: str, **settings: Any) -> Cost:
    """The cost of a method by name in its card's setting, on one sample; options as for training.

    Sizes that nobody says are usual ones (`USUAL`, `SIZE`). `input=(1, 3, 224, 224)` is the input's shape,
    for layers, and for networks that take any; `input_size=(224, 224)` an image's alone. Nothing is allocated
    where the module can be built and called on shapes alone.
    Raises UsageError for what is no module of one tensor, and for options that do not fit.
    """
    card = find(name)
    if card.kind not in KINDS:
        raise UsageError(
            f"{card.name} ({card.kind}) is no module with a cost of its own: networks and layers have one"
        )
    options = {key: part(value) for key, value in settings.items()}
    shape, size = options.pop(INPUT, None), options.get("input_size")
    if shape is not None and not _is_shape(shape):
        raise UsageError(f"input={shape!r} must be a shape such as (1, 64, 32, 32)")
    words = inspect.signature(get(card.name)).parameters
    if "input_size" not in words and not any(p.kind is p.VAR_KEYWORD for p in words.values()):
        options.pop("input_size", None)
    options = _usual(words, shape) | options
    with told(f"{name} cannot be built"):
        module = _built(name, options)
    x = _input(card.kind, words, options, shape, size)
    with told(f"{name} cannot take an input of {tuple(x.shape)}"):
        try:
            counts = _counts(module, x)
        except RuntimeError:  # it looks at numbers
            counts = _counts(create(name, **options), torch.zeros_like(x, device="cpu"))
    names = [layer or WHOLE for layer, _ in module.named_modules()]
    rows = {n: tuple(c.layers.get(n, 0) for c in counts) for n in names if any(n in c.layers for c in counts)}
    said = {key: value for key, value in (options | settings).items() if key != INPUT}
    return Cost(card.name, tuple(x.shape), said, rows)  # type: ignore[arg-type]


def _counts(module: nn.Module, x: Tensor) -> tuple[Count, Count, Count]:
    return count_params(module), count_macs(module, x), count_activations(module, x)


def _is_shape(value: Any) -> bool:
    return (
        isinstance(value, tuple | list) and all(isinstance(n, int) and n > 0 for n in value) and bool(value)
    )


def _usual(words: Mapping[str, inspect.Parameter], shape: Any) -> dict[str, Any]:
    """The sizes that must be said, as usual, or as the input's shape tells."""
    known = dict(USUAL)
    if shape is not None and len(shape) > 1:
        known |= {"in_channels": shape[1], "in_features": math.prod(shape[1:])}
    return {w: known[w] for w, p in words.items() if w in known and p.default is p.empty}


def _built(name: str, options: dict[str, Any]) -> nn.Module:
    """The module, without memory where it can be."""
    try:
        with torch.device("meta"):
            module = create(name, **options)
    except RuntimeError:  # it looks at numbers as it is made
        module = create(name, **options)
    if not isinstance(module, nn.Module):
        raise UsageError(f"it is a {type(module).__name__}, not an nn.Module")
    return module


def _input(
    kind: str, words: Mapping[str, inspect.Parameter], options: Mapping[str, Any], shape: Any, size: Any
) -> Tensor:
    """One sample of the form that the method takes, without numbers."""

    def said(word: str, usual: Any) -> Any:
        default = words[word].default if word in words else inspect.Parameter.empty
        return options.get(word, usual if default is inspect.Parameter.empty else default)

    text = "context" in words
    if shape is None and text:
        shape = (1, said("context", 128))
    elif shape is None and "in_channels" in words and kind in ("network", "own"):
        sides = size or said("input_size", SIZE) or SIZE
        shape = (1, said("in_channels", 3), *((sides, sides) if isinstance(sides, int) else sides))
    elif shape is None and "in_features" in words:
        shape = (1, said("in_features", 784))
    if shape is None:
        raise UsageError("say the shape of its input, batch first: --set 'input=(1, 64, 32, 32)'")
    return torch.empty(tuple(shape), dtype=torch.long if text else torch.float32, device="meta")


def in_bytes(count: float) -> str:
    """A number of bytes in words: 48 B, 1.5 KiB, 20.3 MiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError("unreachable")
