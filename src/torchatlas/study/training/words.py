"""Values as the command line writes them: literals, names, and names with options."""

import ast
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ...cards.choice import choice as parsed_choice
from ...cards.reader import create, find
from ...engine.errors import UsageError

RUN = "run:"  # before the folder of a run, in place of a network


def parse_value(text: str) -> Any:
    """A `KEY=VALUE`'s value: a literal, true/false/none, or a name, with options if any: `sgd(lr=0.1)`."""
    plain = {"true": True, "false": False, "none": None, "null": None}
    if text.lower() in plain:
        return plain[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def parse_settings(pairs: Iterable[str]) -> dict[str, Any]:
    """`["lr=0.1", "hidden=(64, 64)"]` as a dict. Raises UsageError for one without `=`."""
    return {key: parse_value(text) for key, text in (_pair(pair, "--set") for pair in pairs)}


def parse_varied(pairs: Iterable[str]) -> dict[str, list[Any]]:
    """`["activation=relu,tanh"]` as option -> values. Raises UsageError for one without `=` or values."""
    return {
        key: [parse_value(value) for value in split_values(text)]
        for key, text in (_pair(pair, "--vary") for pair in pairs)
    }


def _pair(text: str, flag: str) -> tuple[str, str]:
    key, _, value = (part.strip() for part in text.partition("="))
    if not (key and value):
        example = "KEY=VALUE, as in --set lr=0.01" if flag == "--set" else "KEY=A,B, as in --vary lr=0.1,0.01"
        raise UsageError(f"{flag} wants {example}; got {text!r}")
    return key, value


def split_values(text: str) -> list[str]:
    """The values of `--vary KEY=a,b(k=1,j=2),(3,4)`: split at the commas outside brackets."""
    return [value for value in _split(text, ",") if value]


def split_sum(text: str) -> list[str]:
    """`"random_flip+random_crop(padding=4)"` as its names with options: split at each + outside brackets."""
    return _split(text, "+")


def _split(text: str, mark: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for i, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        if letter == mark and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    return [part.strip() for part in [*parts, text[start:]]]


def choice(text: str) -> tuple[str, dict[str, Any]]:
    """`"sgd(lr=0.1)"` as its name and options. Raises UsageError where it is neither that nor a name."""
    try:
        return parsed_choice(text)
    except ValueError as error:
        raise UsageError(str(error)) from None


def choice_of(kind: str, key: str, text: str) -> tuple[str, dict[str, Any]]:
    """The name and the options of `KEY=TEXT`, a part of a kind; a user's own is of every kind.

    Raises UnknownName, or UsageError where it is of another kind.
    """
    name, options = choice(text)
    card = find(name)
    if card.kind not in (kind, "own"):
        other = f"{card.name} is {_article(card.kind)}, not {_article(kind)}"
        raise UsageError(f"{key}={text}: {other}; see torchatlas list --kind {kind}")
    return name, options


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeio" else f"a {kind}"


def part(value: Any) -> Any:
    """An option's value; `"leaky_relu(negative_slope=0.2)"` becomes a callable that makes one.

    `"run:DIR"` becomes the trained network of a run.
    """
    if isinstance(value, str) and value.startswith(RUN):
        return trained(value.removeprefix(RUN))
    if not isinstance(value, str) or "(" not in value:
        return value
    name, options = choice(value)
    maker: Callable[[], Any] = partial(create, name, **options)
    return maker


def trained(folder: str) -> Any:
    """The network of a run: a module from prepared inputs to logits or values.

    Raises UsageError where the run's model is none.
    """
    from ...learning.supervised.supervised import Supervised
    from .run import load

    model = load(folder, device="cpu").model
    if not isinstance(model, Supervised):
        raise UsageError(f"{folder} holds no network trained on targets, which is what {RUN}DIR stands for")
    return model.network


def teacher_of(options: Mapping[str, Any]) -> Path | None:
    """The folder of the run that an option names, if it is there."""
    folders = (
        Path(v.removeprefix(RUN)) for v in options.values() if isinstance(v, str) and v.startswith(RUN)
    )
    return next((folder for folder in folders if folder.exists()), None)


def without_gone(options: dict[str, Any]) -> dict[str, Any]:
    """Options where a run that is no longer there is None: a student predicts without its teacher."""
    gone = (k for k, v in options.items() if isinstance(v, str) and v.startswith(RUN))
    return options | {k: None for k in gone if not Path(options[k].removeprefix(RUN)).exists()}


def written(key: str, value: Any) -> Any:
    """An option as a recipe can hold it: a class or function by its name, which is accepted like any other.

    Raises UsageError for what has no name to find it by.
    """
    if isinstance(value, str) and value.startswith(RUN):
        return RUN + str(Path(value.removeprefix(RUN)).resolve())
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return type(value)(written(key, item) for item in value)
    if isinstance(value, dict):
        return {name: written(key, item) for name, item in value.items()}
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:  # a NumPy number
        return value.item()
    where = f"{getattr(value, '__module__', '')}:{getattr(value, '__qualname__', '<')}"
    if "<" in where:
        raise UsageError(
            f"{key}={value!r} cannot be written into a recipe: give a class, a name, or name(k=v)"
        )
    return where
