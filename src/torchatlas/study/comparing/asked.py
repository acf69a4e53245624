"""The words of a comparison, checked before anything runs: a wrong one would be wrong in every run."""

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

import torch

from ...cards.reader import near
from ...data.spec import Dataset
from ...engine.environment import pick_device
from ...engine.errors import UsageError
from ..training.build import learns_from_target
from ..training.recipe import Recipe
from ..training.resolve import card_of
from ..training.scores import SCORES

ALIKE = ("metric", "split", "test", "fold")  # settings that decide what a score is a score of
SHOWS = ("auto", "json", "none")


def asked_methods(methods: Any) -> list[Any]:
    """The methods as a list, one alone too. Raises UsageError for what no method can be."""
    found = [methods] if isinstance(methods, str) or not isinstance(methods, Sequence) else list(methods)
    if not found:
        raise UsageError("there is nothing to compare: name methods, as in compare(['mlp', 'lenet5'])")
    for method in found:
        if isinstance(method, torch.nn.Module):
            raise UsageError(
                f"a {type(method).__name__} that is made already cannot be trained anew for each seed: "
                "give its class, or a function that makes it"
            )
        if not (isinstance(method, str) or callable(method)):
            raise UsageError(
                f"{method!r} is no method: give a name such as 'mlp', module:Thing, or your own class"
            )
    return found


def asked_seeds(seeds: Any) -> list[int]:
    """Which seeds: so many from zero, or those that are listed."""
    count = isinstance(seeds, Integral) and not isinstance(seeds, bool)
    if count or (isinstance(seeds, Iterable) and not isinstance(seeds, str)):
        found = list(range(int(seeds))) if count else list(seeds)
        if not all(_whole(seed, 0) for seed in found):
            raise UsageError(f"seeds={seeds!r}: a seed is a whole number from 0 on")
        if not found or len(set(found)) < len(found):
            raise UsageError(
                f"seeds={seeds} must name at least one seed, and each once: a repeat shows nothing"
            )
        return [int(seed) for seed in found]
    raise UsageError(f"seeds={seeds!r}: say how many, as in seeds=5, or which, as in seeds=[0, 1, 2]")


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def asked_values(vary: Any) -> dict[str, list[Any]]:
    """What is varied: option -> values. Raises UsageError for what is no list of values."""
    if not isinstance(vary or {}, Mapping):
        raise UsageError(f"vary={vary!r}: give options with their values, as in vary={{'lr': [0.1, 0.01]}}")
    for key, values in (vary or {}).items():
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise UsageError(f"vary: {key}={values!r} is one value; give a list, as in {{{key!r}: [...]}}")
        if key in ALIKE:
            raise UsageError(f"{key} cannot be varied: what is compared must be tested alike")
    found = {key: list(values) for key, values in (vary or {}).items()}
    if empty := [key for key, values in found.items() if not values]:
        raise UsageError(f"vary: {empty[0]} has no values to try")
    return found


def check_words(settings: Mapping[str, Any], varied: Mapping[str, Any], jobs: Any, show: str) -> None:
    """Raises UsageError for words that mean nothing to a comparison."""
    if "seed" in {**settings, **varied}:
        raise UsageError(
            "a comparison has seeds, not one seed: say --seeds 5, or seeds=[3] for just that one"
        )
    if jobs is not None and not _whole(jobs, 1):
        raise UsageError(f"jobs={jobs!r}: say how many runs at a time, 1 or more")
    if show not in SHOWS:
        raise UsageError(f"show={show!r}: it is one of {', '.join(SHOWS)}")


def check_recipes(methods: Iterable[Any], recipes: Sequence[Recipe], dataset: Dataset) -> None:
    """Raises UsageError for a metric that the task does not have, unlike splits, a device that is not here.

    Learners without a target bring scores of their own, which are known only when they are built.
    """
    for method, recipe in zip(methods, recipes, strict=True):
        known = SCORES.get(dataset.task, {}) if learns_from_target(card_of(method), method) else {}
        if known and recipe.metric is not None and recipe.metric not in known:
            hint = near(recipe.metric, known) or ";"
            raise UsageError(
                f"{dataset.task} has no metric {recipe.metric!r}{hint} it has {', '.join(known)}"
            )
    splits = {recipe.split: recipe.method for recipe in recipes}
    if len(splits) > 1:
        told = " and ".join(f"{name} says split={way}" for way, name in splits.items())
        raise UsageError(f"{told}: they would meet other test parts; say one for all with --set split=…")
    for wish in {recipe.device for recipe in recipes}:
        pick_device(wish)
