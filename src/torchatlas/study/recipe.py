"""The recipe: everything that determines a run, as plain values; `run.yaml` holds it whole."""

import ast
import inspect
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..cards.card import Card
from ..cards.reader import create, find
from ..engine.errors import UsageError

FORMAT = 1


class Recipe(BaseModel):
    """A run, resolved: running the same recipe again gives the same record, clock fields aside."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    format: int = FORMAT
    method: str
    options: dict[str, Any] = Field(default_factory=dict)  # of the method's constructor
    data: str
    data_options: dict[str, Any] = Field(default_factory=dict)
    seed: int = 0
    epochs: float | None = Field(None, gt=0)
    steps: int | None = Field(None, gt=0)
    minutes: float | None = Field(None, gt=0)
    batch_size: int = Field(64, gt=0)
    micro: int = Field(1, gt=0)
    optimizer: str = "adam"
    lr: float | None = Field(None, gt=0)
    optimizer_options: dict[str, Any] = Field(default_factory=dict)
    schedule: str | None = None
    loss: str | None = None
    clip: float | None = Field(None, gt=0)
    ema: float | None = Field(None, ge=0, lt=1)
    patience: int | None = Field(None, gt=0)
    validate_every: int = Field(0, ge=0)
    log_every: int = Field(50, gt=0)
    save_every: float | None = Field(60.0, gt=0)
    save_every_steps: int | None = Field(None, gt=0)
    split: str = "auto"
    test: float = Field(0.2, gt=0, lt=1)
    valid: float = Field(0.15, ge=0, lt=1)
    fold: tuple[int, int] | None = None
    metric: str | None = None
    device: str = "auto"
    threads: int | None = Field(None, gt=0)
    data_fingerprint: str | None = None
    versions: dict[str, str] = Field(default_factory=dict)

    def write(self) -> str:
        """As YAML."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


RESOLVED = ("format", "method", "options", "data", "data_options", "data_fingerprint", "versions")
SETTABLE = tuple(name for name in Recipe.model_fields if name not in RESOLVED)


def read_recipe(path: Path) -> Recipe:
    """The recipe of a `run.yaml`. Raises UsageError that names the field at fault."""
    try:
        return Recipe(**yaml.safe_load(path.read_text()))
    except (OSError, yaml.YAMLError, TypeError) as error:
        raise UsageError(f"{path} is not a recipe that can be read: {error}") from error
    except ValidationError as error:
        raise UsageError(f"{path}: {_first(error)}") from error


def resolve(method: Any, data: str, settings: Mapping[str, Any], *, own: Mapping[str, Any] | None = None) -> Recipe:
    """A recipe from a method's name (or class), its card's defaults and the user's settings.

    A setting is a field of the recipe, `optimizer.KEY` for the optimizer's options, or an option of the method.
    Raises UsageError that says which names there are.
    """
    card = card_of(method)
    fields: dict[str, Any] = {}
    options: dict[str, Any] = {}
    optimizer_options: dict[str, Any] = {}
    takes = method_options(card, method)
    for key, value in {**card.recipe, **settings}.items():
        if key in SETTABLE:
            fields[key] = value
        elif key.startswith("optimizer."):
            optimizer_options[key.removeprefix("optimizer.")] = value
        elif takes is None or key in takes:
            options[key] = value
        else:
            raise UsageError(_unknown(card.name, key, takes))
    if {"epochs", "steps", "minutes"} & set(settings):  # the user's budget replaces the card's
        for name in {"epochs", "steps", "minutes"} - set(settings):
            fields.pop(name, None)
    elif not {"epochs", "steps"} & set(fields):
        fields["epochs"] = 30
    if "optimizer" in settings and "lr" not in settings and settings["optimizer"] != card.recipe.get("optimizer"):
        fields.pop("lr", None)  # a learning rate chosen for another optimizer is worth nothing
        optimizer_options = {k: v for k, v in optimizer_options.items() if f"optimizer.{k}" in settings}
    try:
        more = {"options": options, "optimizer_options": optimizer_options, "data_options": dict(own or {})}
        return Recipe(method=card.name, data=data, **more, **fields)
    except ValidationError as error:
        raise UsageError(_first(error)) from error


def _first(error: ValidationError) -> str:
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}={problem.get('input')!r}: {problem['msg'][0].lower()}{problem['msg'][1:]}"


def _unknown(method: str, key: str, takes: Iterable[str]) -> str:
    names = [*takes, *SETTABLE]
    near = get_close_matches(key, names, n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    own = ", ".join(takes) or "none"
    return f"{method} has no option {key!r}{hint}\nits own options: {own}\nof every run: {', '.join(SETTABLE)}"


def card_of(method: Any) -> Card:
    """The card of a name, or of a user's own class or function."""
    if isinstance(method, str):
        return find(method)
    name = getattr(method, "__atlas__", None)
    if name and vars(method).get("__atlas__") == name:
        return find(name)
    where = f"{getattr(method, '__module__', '')}:{getattr(method, '__qualname__', type(method).__name__)}"
    return Card(where, "", "own", where)


def method_options(card: Card, method: Any = None) -> list[str] | None:
    """The names of a method's own options; None where its signature takes any."""
    from .build import factory  # builds import torch; a recipe of a classical method need not

    try:
        parameters = inspect.signature(factory(card, method)).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    return [p.name for p in parameters if p.name not in FROM_DATA]


FROM_DATA = ("self", "spec", "num_classes", "in_channels", "in_features", "network")


def parse_value(text: str) -> Any:
    """The value of a `KEY=VALUE`: a literal, true/false/none, or a name, with options if any: `sgd(lr=0.1)`."""
    plain = {"true": True, "false": False, "none": None, "null": None}
    if text.lower() in plain:
        return plain[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def parse_settings(pairs: Iterable[str]) -> dict[str, Any]:
    """`["lr=0.1", "hidden=(64, 64)"]` as a dict. Raises UsageError for one without `=`."""
    settings = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not (equals and key.strip()):
            raise UsageError(f"--set wants KEY=VALUE, as in --set lr=0.01; {pair!r} has no '='")
        settings[key.strip()] = parse_value(text.strip())
    return settings


def split_values(text: str) -> list[str]:
    """The values of `--vary KEY=a,b(k=1,j=2),(3,4)`: split at the commas outside brackets."""
    parts, depth, start = [], 0, 0
    for i, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    return [part.strip() for part in [*parts, text[start:]] if part.strip()]


def choice(text: str) -> tuple[str, dict[str, Any]]:
    """`"sgd(lr=0.1)"` as its name and options. Raises UsageError where it is neither that nor a name."""
    try:
        node = ast.parse(text.strip(), mode="eval").body
        if isinstance(node, ast.Call) and not node.args:
            return ast.unparse(node.func), {k.arg: ast.literal_eval(k.value) for k in node.keywords if k.arg}
    except (SyntaxError, ValueError):
        pass
    if "(" in text:
        raise UsageError(f"{text!r} is not a name with options: write it as sgd(lr=0.1, momentum=0.9)")
    return text.strip(), {}


def part(value: Any) -> Any:
    """An option's value: `"leaky_relu(negative_slope=0.2)"` becomes a callable that makes one; others stay."""
    if not isinstance(value, str) or "(" not in value:
        return value
    name, options = choice(value)
    maker: Callable[[], Any] = partial(create, name, **options)
    return maker
