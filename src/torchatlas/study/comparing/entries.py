"""The competitors of a comparison: methods times varied values, each with the settings that it takes."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from ...engine.errors import UsageError
from ..training.recipe import SETTABLE
from ..training.resolve import card_of, method_options, refuse_meaningless, resolve
from .jobs import Entry


def make_entries(
    methods: Sequence[Any], vary: Mapping[str, Sequence[Any]], settings: Mapping[str, Any]
) -> list[Entry]:
    """One entry per method and combination of varied values; a setting goes to the methods that have it.

    Raises UsageError for a setting or varied key that no method has, and for two entries of one name.
    """
    known = {id(m): method_options(card_of(m), m) for m in methods}
    refuse_meaningless(methods, {**settings, **vary})
    for key in {**settings, **vary}:
        if not any(_takes(known[id(m)], key) for m in methods):
            resolve(methods[0], "", {key: None})  # raises, with the names that there are
    combinations = [dict(zip(vary, values, strict=True)) for values in itertools.product(*vary.values())]
    names = _names(methods)
    entries = []
    for (method, name), varied in itertools.product(zip(methods, names, strict=True), combinations):
        everything = {**settings, **varied}
        mine = {key: value for key, value in everything.items() if _takes(known[id(method)], key)}
        words = " ".join(f"{key}={value}" for key, value in varied.items())
        entries.append(
            Entry(f"{name} {words}".strip() if len(methods) > 1 or not words else words, method, mine)
        )
    slugs = [entry.slug for entry in entries]
    if twice := {entry.label for entry in entries if slugs.count(entry.slug) > 1}:
        raise UsageError(
            f"{', '.join(sorted(twice))} would be compared with itself; name each method once, "
            "and give functions and classes of your own names that differ"
        )
    return entries


def make_entries_again(question: Mapping[str, Any]) -> list[Entry]:
    """The entries of a `study.yaml`."""
    return [Entry(label, m["method"], m["settings"]) for label, m in question["methods"].items()]


def _names(methods: Sequence[Any]) -> list[str]:
    """Short names: of one's own things without the module, unless two would be called alike."""
    whole = [card_of(method).name for method in methods]
    short = [name.rpartition(":")[2].rpartition("<locals>.")[2] or name for name in whole]
    return [s if short.count(s) == 1 else w for s, w in zip(short, whole, strict=True)]


def _takes(options: list[str] | None, key: str) -> bool:
    return options is None or key in SETTABLE or key in options or key.startswith("optimizer.")
