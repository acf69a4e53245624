"""Names with options, checked before a run begins: they exist, are of the right kind, take the options."""

import inspect
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ...cards.card import Card
from ...cards.reader import UnknownName, find, get, near
from ...engine.errors import UsageError
from .build import FROM_RATE, LENGTHS, factory, is_classical
from .recipe import Recipe
from .words import choice, choice_of, split_sum

FED = ("optimizer", "schedule", "sampler")  # kinds whose first word is given by the run


def check_parts(recipe: Recipe, card: Card, method: Any = None) -> None:
    """Check every name in a recipe: optimizer, schedule, loss, sampler,
    and the method's options that name a part.

    Raises UnknownName or UsageError that says which names or options there are.
    """
    for kind in ("optimizer", "schedule", "loss", "sampler"):
        if (text := getattr(recipe, kind)) is not None:
            check_part(kind, text, kind)
    for key, kind in (("augment", "augmentation"), ("penalty", "penalty")):
        if (said := getattr(recipe, key)) is not None:
            for text in split_sum(said):
                check_part(key, text, kind)
    moved_by = card.name if card.kind == "optimizer" else choice(recipe.optimizer)[0]
    _check_words(moved_by, recipe.optimizer_options)
    schedule = card.name if card.kind == "schedule" else recipe.schedule
    if schedule is not None:
        _check_complete(schedule, card)
    if card.kind != "own" and not is_classical(card):
        for key, kind in named_options(card, method).items():
            if isinstance(value := recipe.options.get(key), str):
                check_part(key, value, kind)


def check_part(key: str, text: str, kind: str) -> None:
    """Check `KEY=TEXT`, a name with options if any, as a part of a kind; a user's own is of every kind."""
    name, options = choice_of(kind, key, text)
    _check_words(name, options)


def named_options(card: Card, method: Any = None) -> dict[str, str]:
    """The options of a method whose default is a name of the catalog, with that name's kind."""
    found = {}
    for word in _parameters(factory(card, method)):
        if isinstance(word.default, str):
            try:
                found[word.name] = find(choice(word.default)[0]).kind
            except (UnknownName, UsageError):  # a word of the method's own, such as "max"
                continue
    return found


def _check_words(name: str, options: Collection[str]) -> None:
    if not options:
        return
    words = _parameters(get(name), fed=find(name).kind in FED)
    names = [word.name for word in words]
    for option in options:
        if words and option not in names and not any(word.kind is word.VAR_KEYWORD for word in words):
            raise UsageError(
                f"{name} has no option {option!r}{near(option, names)}; it takes {', '.join(names)}"
            )


def _check_complete(text: str, card: Card) -> None:
    """A schedule has every word that neither its signature nor the run fills in."""
    name, options = choice(text)
    filled = {*options, *LENGTHS, *FROM_RATE}
    words = _parameters(get(name), fed=True)
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    missing = [w.name for w in words if w.default is w.empty and w.kind not in several]
    missing = [word for word in missing if word not in filled]
    if missing:
        example = _example(name, missing, find(name).tiny)
        how = f"train mlp --set 'schedule={example}'" if card.kind == "schedule" else f"write {example}"
        raise UsageError(f"{name} needs {' and '.join(missing)}: {how}, say")


def _example(name: str, words: Iterable[str], values: Mapping[str, Any]) -> str:
    return f"{name}({', '.join(f'{word}={values.get(word, 1)}' for word in words)})"


def _parameters(thing: Any, fed: bool = False) -> list[inspect.Parameter]:
    """The words of a thing's signature; none where it cannot be read."""
    try:
        words = list(inspect.signature(thing).parameters.values())
    except (TypeError, ValueError):
        return []
    return words[1:] if fed else words
