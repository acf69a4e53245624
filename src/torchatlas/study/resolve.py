"""From a method and the user's settings to a recipe."""

import inspect
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from ..cards.card import Card
from ..cards.reader import find
from ..engine.errors import UsageError
from .build import factory
from .recipe import SETTABLE, Recipe, first_problem

DATA_OPTIONS = (  # what `open_dataset` is told
    "target",
    "task",
    "group",
    "time",
    "drop",
    "missing",
    "separator",
    "encoding",
    "size",
    "skip_broken",
)
FROM_DATA = ("self", "spec", "num_classes", "in_channels", "in_features", "network")  # not the user's to say


def resolve(
    method: Any, data: str, settings: Mapping[str, Any], *, own: Mapping[str, Any] | None = None
) -> Recipe:
    """A recipe from a method's name (or class), its card's defaults and the user's settings.

    A setting is a field of the recipe, `optimizer.KEY` for an optimizer's option, or the method's own.
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
    if (
        "optimizer" in settings
        and "lr" not in settings
        and settings["optimizer"] != card.recipe.get("optimizer")
    ):
        fields.pop("lr", None)  # a learning rate chosen for another optimizer is worth nothing
        optimizer_options = {k: v for k, v in optimizer_options.items() if f"optimizer.{k}" in settings}
    try:
        more: dict[str, Any] = {
            "options": options,
            "optimizer_options": optimizer_options,
            "data_options": dict(own or {}),
        }
        return Recipe(method=card.name, data=data, **more, **fields)
    except ValidationError as error:
        raise UsageError(first_problem(error)) from error


def _unknown(method: str, key: str, takes: Iterable[str]) -> str:
    names = [*takes, *SETTABLE, *DATA_OPTIONS]
    near = get_close_matches(key, names, n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    own = ", ".join(takes) or "none"
    return (
        f"{method} has no option {key!r}{hint}\nits own options: {own}\n"
        f"of every run: {', '.join(SETTABLE)}\nof the data: {', '.join(DATA_OPTIONS)}"
    )


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
    try:
        parameters = inspect.signature(factory(card, method)).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    return [p.name for p in parameters if p.name not in FROM_DATA]
