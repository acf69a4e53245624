"""What every comparison draws beside its methods: a guess that looks at no input, and a classical model."""

import json
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ... import data as sources
from ...cards.card import Card
from ...cards.reader import find
from ...data.spec import Dataset
from ..training.classical import fit_classical, fit_estimator
from ..training.recipe import Recipe
from ..training.run import Run
from ..training.testing import finish

GUESSES = {"classification": "majority", "multilabel": "majority", "regression": "mean"}
CLASSICAL = "random_forest"


def baseline_names(dataset: Dataset, compared: Collection[str]) -> list[str]:
    """The baselines of a data set, less what is compared anyway."""
    if dataset.task == "none":
        return []
    return [GUESSES[dataset.task], *([] if CLASSICAL in compared else [CLASSICAL])]


def run_baseline(name: str, dataset: Dataset, seed: int, split: Mapping[str, Any], folder: Path) -> Run:
    """Fit a baseline on the very split that the methods get, and test it; only its result is kept."""
    recipe = Recipe(method=name, data=dataset.name, seed=seed, **split)
    card = find(CLASSICAL) if name == CLASSICAL else Card(name, "", "estimator", "")
    how: dict[str, Any] = {
        "test": recipe.test,
        "valid": recipe.valid,
        "split": recipe.split,
        "fold": recipe.fold,
    }
    prepared = sources.prepare(dataset, seed=seed, **how)
    began = time.monotonic()
    if name == CLASSICAL:
        model = fit_classical(card.name, prepared.spec, prepared.train, {}, seed)
    else:
        model = fit_estimator(_guess(prepared.spec.task), prepared.spec, prepared.train)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "baseline.json").write_text(json.dumps({"method": name, "seed": seed}))
    facts = {"steps": 0, "parameters": None, "seconds": time.monotonic() - began}
    return finish(Run(recipe, model, prepared.preparation, prepared.spec, folder), prepared, facts)


def _guess(task: str) -> Any:
    from sklearn.dummy import DummyClassifier, DummyRegressor

    return DummyRegressor() if task == "regression" else DummyClassifier(strategy="prior")
