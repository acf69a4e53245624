"""What every comparison draws beside its methods: a guess that looks at no input, and a classical model."""

import json
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ... import data as sources
from ...cards.card import Card
from ...cards.reader import find
from ...data.spec import Dataset
from ...engine.learner import Learner
from ..training.build import wanted_context
from ..training.classical import Classical, fit_classical, fit_estimator
from ..training.recipe import Recipe
from ..training.resolve import card_of
from ..training.run import Run
from ..training.testing import finish
from .guesses import guess_for

GUESSES = {"classification": "majority", "multilabel": "majority", "regression": "mean"}
LIVED = {"language": "bigram", "control": "random_policy"}
NEAREST = "nearest_input"  # of classes that training did not show
CLASSICAL = "random_forest"
# Of a method's recipe: what cuts its data.
SHARED = ("split", "test", "valid", "fold", "labels", "imbalance", "metric")


def baseline_names(dataset: Dataset, compared: Collection[str], recipe: Recipe) -> list[str]:
    """The baselines of a data set that is split as a recipe says, less what is compared anyway."""
    if dataset.task == "none":
        return []
    if dataset.task in LIVED:
        return [LIVED[dataset.task]]
    if recipe.split == "classes":
        return [NEAREST]
    return [GUESSES[dataset.task], *([] if CLASSICAL in compared else [CLASSICAL])]


def shared_settings(recipe: Recipe, method: Any = None) -> dict[str, Any]:
    """What a baseline takes from a method's recipe, so that both meet the same data."""
    found = {name: getattr(recipe, name) for name in SHARED}
    context = wanted_context(card_of(recipe.method if method is None else method), recipe.options, method)
    return found | {"options": recipe.options | ({} if context is None else {"context": context})}


def run_baseline(name: str, dataset: Dataset, seed: int, settings: Mapping[str, Any], folder: Path) -> Run:
    """Fit a baseline on the very split that the methods get, and test it; only its result is kept."""
    recipe = Recipe(method=name, data=dataset.name, seed=seed, **settings)
    card = find(CLASSICAL) if name == CLASSICAL else Card(name, "", "estimator", "")
    prepared = sources.prepare(
        dataset,
        seed=seed,
        test=recipe.test,
        valid=recipe.valid,
        split=recipe.split,
        fold=recipe.fold,
        labels=recipe.labels,
        imbalance=recipe.imbalance,
        context=recipe.options.get("context"),
    )
    if name == CLASSICAL:
        prepared = sources.held(prepared, seed)
    began = time.monotonic()
    model: Classical | Learner
    if name == CLASSICAL:
        model = fit_classical(card.name, prepared.spec, prepared.train, {}, seed)
    elif name in GUESSES.values():
        blind = replace(prepared.train, x=torch.zeros(len(prepared.train), 1))  # it looks at no input
        model = fit_estimator(_guess(prepared.spec.task), prepared.spec, blind)
    else:
        model = guess_for(prepared, recipe.options)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "baseline.json").write_text(json.dumps({"method": name, "seed": seed}))
    facts = {"steps": 0, "parameters": None, "seconds": time.monotonic() - began}
    return finish(Run(recipe, model, prepared.preparation, prepared.spec, folder), prepared, facts)


def _guess(task: str) -> Any:
    from sklearn.dummy import DummyClassifier, DummyRegressor

    return DummyRegressor() if task == "regression" else DummyClassifier(strategy="prior")
