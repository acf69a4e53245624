"""Parts of any model exchanged in place: its activations, normalisations and pools."""

import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from ..cards.choice import choice
from ..cards.reader import create, get
from ..engine.errors import UsageError

Key = str | type[nn.Module]
New = str | Callable[..., nn.Module]  # a name, a name with options, a class, or a function that makes one
CHANNELS = ("channels", "num_features", "num_channels")  # how modules ask for their number of channels
GEOMETRY = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "output_size")
PLAIN = {"padding": (0,), "dilation": (1,), "ceil_mode": (False,)}  # what a pool without the word does
LAST = (nn.Linear, nn.LayerNorm, nn.RMSNorm, nn.Embedding)  # these leave their channels in the last dimension
SECOND = (nn.modules.conv._ConvNd, nn.modules.batchnorm._NormBase, nn.GroupNorm)  # and these in dimension 1


@dataclass(frozen=True)
class Wanted:
    """What to exchange, and for what."""

    key: Key
    kind: type[nn.Module]
    options: Mapping[str, Any]  # of the key's card: "global_avg_pool" is an adaptive pool of one place
    new: New

    def fits(self, module: nn.Module) -> bool:
        """Whether a module of the kind has the options of the card."""
        return all(
            _flat(getattr(module, word, value)) == _flat(value) for word, value in self.options.items()
        )


@dataclass
class Place:
    """A module to be exchanged: where it was first found, and what it met in the sample."""

    path: str
    old: nn.Module
    parent: nn.Module
    wanted: Wanted
    met: set[tuple[tuple[int, ...], int | None]] = field(default_factory=set)  # shape, where channels lie


def swap(
    model: nn.Module, what: Mapping[Key, New] | None = None, /, *, sample: Any = None, **named: New
) -> nn.Module:
    """Exchange parts of a model in place: `swap(model, relu="smu", batch_norm="group_norm(num_groups=8)")`.

    Keys are names of the atlas, each for the modules of its class or a subclass (the nearest key wins), or
    classes in `what`; values are names, names with options, classes, or functions that make a module. A new
    module is told what it asks for: the channels, and of pools window, stride and padding. They come from
    the old one where it has them, else from one call of the model on `sample` (a tuple holds several
    arguments). Mode, device and number type stay; a module that stands in several places is exchanged for
    one that does. Returns the model, or the new module where the model itself was exchanged. What a forward
    calls as a function, such as `F.relu`, is no module and stays.

    Raises UsageError where a key finds nothing, and where a module needs what is not known; the model is then
    as it was.
    """
    asked: dict[Key, New] = {**(what or {})}
    asked.update(named)
    wanted = [_wanted(key, new) for key, new in asked.items()]
    if not wanted:
        raise UsageError('say what to exchange, as in swap(model, relu="smu")')
    places: dict[int, Place] = {}
    _find(model, model, "", wanted, places)
    for one in wanted:
        if not any(place.wanted is one for place in places.values()):
            raise UsageError(_nothing(model, one))
    if sample is not None:
        _meet(model, places, sample)
    made = {mark: _made(place, model) for mark, place in places.items()}
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            if id(child) in made:
                parent.add_module(name, made[id(child)])
    return made.get(id(model), model)


def _wanted(key: Key, new: New) -> Wanted:
    thing = get(key) if isinstance(key, str) else key
    options = thing.keywords if isinstance(thing, partial) else {}
    kind = thing.func if isinstance(thing, partial) else thing
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        raise UsageError(f"{key!r} is no kind of module, so no model holds any")
    if isinstance(new, nn.Module) or not (isinstance(new, str) or callable(new)):
        raise UsageError(
            f"{key!r} is exchanged for a name, a class or a function that makes one, not {new!r}"
        )
    return Wanted(key, kind, options, new)


def _find(
    module: nn.Module, parent: nn.Module, path: str, wanted: Iterable[Wanted], places: dict[int, Place]
) -> None:
    """Note every module that is to be exchanged once, by its identity; what lies inside one goes with it."""
    for kind in type(module).__mro__:
        for one in wanted:
            if one.kind is kind and one.fits(module):
                places.setdefault(id(module), Place(path or "the model", module, parent, one))
                return
    for name, child in module.named_children():
        _find(child, module, f"{path}.{name}" if path else name, wanted, places)


def _nothing(model: nn.Module, one: Wanted) -> str:
    kinds = Counter(type(m).__name__ for m in model.modules() if not any(m.children()))
    has = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(12)) or "none"
    return (
        f"the model has no {one.kind.__name__} to exchange for {one.key!r}; its modules are {has}. "
        "What a forward calls as a function, such as F.relu, cannot be exchanged"
    )


def _meet(model: nn.Module, places: dict[int, Place], sample: Any) -> None:
    """Call the model once and note the shapes that come to the places, and where their channels lie."""
    lies: dict[
        int, tuple[Tensor, int]
    ] = {}  # each tensor that a module made (kept, so that its id stays its own)

    def before(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        x = inputs[0] if inputs else None
        if id(module) in places and isinstance(x, Tensor):
            dim = 1 if x.dim() == 2 else lies[id(x)][1] if id(x) in lies else 1 if x.dim() > 3 else None
            places[id(module)].met.add((tuple(x.shape), dim))

    def after(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if not isinstance(output, Tensor):
            return
        first = id(inputs[0]) if inputs else None
        if isinstance(module, LAST + SECOND):
            lies[id(output)] = output, -1 if isinstance(module, LAST) else 1
        elif first in lies and lies[first][0].shape == output.shape:
            lies[id(output)] = output, lies[first][1]

    hooks = [
        hook
        for module in model.modules()
        for hook in (module.register_forward_pre_hook(before), module.register_forward_hook(after))
    ]
    try:
        with torch.no_grad(), _evaluating(model):
            model(*sample) if isinstance(sample, tuple) else model(sample)
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, and afterwards each module's own mode again."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _made(place: Place, model: nn.Module) -> nn.Module:
    """The module that takes a place, in its mode, on its device and of its number type."""
    new = place.wanted.new
    called = new if isinstance(new, str) else getattr(new, "__name__", str(new))
    try:
        name, given = choice(new) if isinstance(new, str) else ("", {})
        thing = get(name) if name else new
        maker = partial(create, name) if name else new
        told = _told(place, thing, given)
        module: Any = maker(**given, **told)  # type: ignore[operator]
    except (UsageError, LookupError, TypeError, ValueError) as error:
        raise UsageError(f"{place.path} cannot become {called}: {error}") from error
    if not isinstance(module, nn.Module):
        raise UsageError(f"{called} makes a {type(module).__name__}, which no model can hold")
    near = chain(*(one.parameters() for one in (place.old, place.parent, model)))
    like = next((tensor for tensor in near if tensor.is_floating_point()), None)
    if like is not None:
        module.to(like.device, like.dtype)
    return module.train(place.old.training)


def _told(place: Place, thing: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a new module asks for, besides what it was given: channels, where they lie, a pool's geometry."""
    try:
        words = dict(inspect.signature(thing).parameters)
    except (TypeError, ValueError):  # a function that does not say what it takes
        return {}
    bound = {*given, *(thing.keywords if isinstance(thing, partial) else ())}
    asked = [word for word in words if word not in bound]
    told = {word: getattr(place.old, word) for word in GEOMETRY if word in asked and hasattr(place.old, word)}
    if "kernel_size" in words:
        for word, plain in PLAIN.items():
            has = getattr(place.old, word, plain[0])
            if word not in words and _flat(has) != plain:
                raise UsageError(f"the old one has {word}={has}, a word that this one does not take")
    counts = [word for word in CHANNELS if word in asked]
    if counts:
        told |= dict.fromkeys(counts, _channels(place, given.get("dim")))
    if "dim" in asked and any(word in words for word in CHANNELS):
        told["dim"] = _dim(place)
    if "normalized_shape" in asked:
        told["normalized_shape"] = _normalized(place)
    return told


def _channels(place: Place, dim: int | None) -> int:
    """The channels of a place: as the old module has them, else as the sample showed them."""
    old = place.old
    for word in (*CHANNELS, "normalized_shape"):
        if len(size := _flat(getattr(old, word, ()))) == 1:
            return int(size[0])
    _seen(place)
    dim = _dim(place) if dim is None else dim
    sizes = {shape[dim] for shape, _ in place.met}
    if len(sizes) > 1:
        raise UsageError(
            f"it is one module in several places, with {' and '.join(map(str, sorted(sizes)))} channels: let "
            "each place have a module of its own first"
        )
    return sizes.pop()


def _dim(place: Place) -> int:
    """The dimension that the channels of a place lie along."""
    if not place.met:
        return -1 if isinstance(place.old, LAST) else 1
    dims = {dim for _, dim in place.met}
    if None in dims or len(dims) > 1:
        shapes = " and ".join(str(shape) for shape, _ in sorted(place.met, key=str))
        raise UsageError(f"its input of shape {shapes} does not show where the channels lie: say dim=")
    (dim,) = dims
    assert dim is not None
    return dim


def _normalized(place: Place) -> Any:
    if hasattr(place.old, "normalized_shape"):
        return place.old.normalized_shape
    _seen(place)
    shapes = {shape[1:] if _dim(place) == 1 else shape[-1:] for shape, _ in place.met}
    if len(shapes) > 1:
        raise UsageError("it is one module in several places, with inputs of several shapes")
    return shapes.pop()


def _seen(place: Place) -> None:
    if not place.met:
        raise UsageError(
            "it needs to know its channels, and the old one does not tell: give a batch as sample=, in which "
            "the module is called"
        )


def _flat(value: Any) -> tuple[Any, ...]:
    """A number, or a tuple of equal numbers, as a tuple of one; another tuple as it is."""
    if not isinstance(value, tuple | list | torch.Size):
        return (value,)
    return (value[0],) if value and len(set(value)) == 1 else tuple(value)
