"""From a method and the user's settings to a recipe."""

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from ...cards.card import Card
from ...cards.reader import find
from ...engine.errors import UsageError
from .build import draws_its_own, factory, is_classical
from .parts import check_parts
from .recipe import SETTABLE, Recipe, first_problem
from .starting import located
from .words import written

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
    "stream",
    "skip_broken",
)
BUDGETS = {"epochs", "steps", "minutes"}
EPOCHS = 30  # where neither the user nor the card says a budget
STEPWISE = {  # what means something only to what is trained in steps
    *BUDGETS,
    *("batch_size", "micro", "optimizer", "lr", "schedule", "loss", "sampler"),
    *("augment", "penalty", "clip", "ema", "patience"),
    *("start", "freeze", "layer_decay"),
    *("validate_every", "log_every", "save_every", "save_every_steps"),
}
FROM_DATA = ("self", "spec", "num_classes", "in_channels", "in_features", "network")  # not the user's to say


def resolve(
    method: Any, data: str, settings: Mapping[str, Any], *, own: Mapping[str, Any] | None = None
) -> Recipe:
    """A recipe from a method's name (or class), its card's defaults and the user's settings.

    A setting is a field of the recipe, `optimizer.KEY` for an optimizer's option, or the method's own.
    Raises UsageError that says which names there are.
    """
    card = card_of(method)
    said = _sorted_out(card, method, settings)
    default = _sorted_out(card, method, card.recipe)
    usual = default.fields.get("optimizer", Recipe.model_fields["optimizer"].default)
    if said.fields.get("optimizer", usual) != usual:
        default.fields.pop("lr", None)  # a rate chosen for another optimizer is worth nothing
        default.optimizer.clear()
    if BUDGETS & set(said.fields):  # the user's budget replaces the card's
        default.fields = {key: value for key, value in default.fields.items() if key not in BUDGETS}
    elif not BUDGETS & set(default.fields):
        default.fields["epochs"] = EPOCHS
    more: dict[str, Any] = {
        "options": default.options | said.options,
        "optimizer_options": default.optimizer | said.optimizer,
        "data_options": dict(own or {}),
    }
    values = {"method": card.name, "data": data, **more, **default.fields, **said.fields}
    return _checked(values, card, method)


def override(recipe: Recipe, settings: Mapping[str, Any]) -> Recipe:
    """A recipe with other settings; a new budget replaces the old. Raises UsageError as `resolve` does."""
    card = card_of(recipe.method)
    refuse_meaningless([recipe.method], settings)
    said = _sorted_out(card, None, settings)
    whole = recipe.model_dump()
    if "start" in said.fields:
        whole["started"] = None
    if BUDGETS & set(said.fields):
        whole |= dict.fromkeys(BUDGETS)
    whole["options"] |= said.options
    whole["optimizer_options"] |= said.optimizer
    return _checked(whole | said.fields, card)


@dataclass
class _Sorted:
    """Settings by what they belong to."""

    fields: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)


def _sorted_out(card: Card, method: Any, settings: Mapping[str, Any]) -> _Sorted:
    takes, found = method_options(card, method), _Sorted()
    # A tree's loss is its own, and so is what a method that draws its own batches augments them by.
    apart = is_classical(card) or draws_its_own(card, method)
    for key, value in settings.items():
        own = takes is not None and key in takes and apart
        if key in SETTABLE and not own:
            found.fields[key] = located(value) if key == "start" and value is not None else value
        elif key.startswith("optimizer."):
            found.optimizer[key.removeprefix("optimizer.")] = value
        elif takes is None or key in takes:
            found.options[key] = written(key, value)
        else:
            raise UsageError(_unknown(card.name, key, takes))
    return found


def _checked(values: dict[str, Any], card: Card, method: Any = None) -> Recipe:
    """A recipe whose fields are right and whose parts exist and are what they are used as."""
    try:
        recipe = Recipe(**values)
    except ValidationError as error:
        raise UsageError(first_problem(error)) from error
    check_parts(recipe, card, None if isinstance(method, str) else method)
    return recipe


def refuse_meaningless(methods: Iterable[Any], settings: Iterable[str]) -> None:
    """Refuse what is said of training in steps where every method is a classical one, which is fitted.

    Beside methods that are trained, such settings (a shared budget) pass classical ones by.
    """
    cards = [card_of(method) for method in methods]
    if not all(map(is_classical, cards)):
        return
    own = {key for card in cards for key in method_options(card) or ()}
    for key in settings:
        if (key in STEPWISE and key not in own) or key.startswith("optimizer."):
            names = " and ".join(dict.fromkeys(card.name for card in cards))
            raise UsageError(
                f"{names}: fitted, not trained in steps, so {key} means nothing here; leave it out"
            )


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
