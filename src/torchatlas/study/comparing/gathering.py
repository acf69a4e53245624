"""What a study's runs left in their folders, as the plain data that a report is made of."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import confusion_matrix

from ... import data as sources
from ...cards.reader import catalog
from ...data.spec import Dataset, Spec
from ...engine.errors import AtlasError
from ...engine.learner import Learner
from ...engine.record import read_record
from ..report.model import DataSummary, MethodResult, RunResult, Worst
from ..training.costs import Costs, costs_of, step_seconds
from ..training.recipe import read_recipe
from ..training.run import RECIPE, RECORD, RESULT, Run, load_model, read_test
from ..training.testing import OWN
from .jobs import Done

WORST, SAMPLES = 12, 16


@dataclass
class Gathered:
    """A run of the study as its folder tells it."""

    done: Done
    result: dict[str, Any] = field(default_factory=dict)
    test: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)


def gather(done: Done) -> Gathered:
    """What a run's folder tells; nothing but the error of a run that failed."""
    if done.error:
        return Gathered(done)
    result = json.loads((done.folder / RESULT).read_text())
    return Gathered(done, result, read_test(done.folder, result))


def spec_of(run: Gathered) -> Spec:
    """What the run's data looked like to its network."""
    spec: Spec = sources.Preparation.load(run.done.folder / "preparation").spec
    return spec


def method_result(runs: list[Gathered], dataset: Dataset, spec: Spec, metric: str, own: Any) -> MethodResult:
    """One method's runs, and its cost, measured on the first that succeeded."""
    done = runs[0].done
    good = next((g for g in runs if g.result), None)
    found, seconds, unknown = Costs(), None, ""
    samples: list[Any] = []
    if good is not None and not done.baseline:
        try:
            found, seconds = _cost(good, runs, dataset, own)
            samples = [] if "prediction" in good.test else _samples(good, own)
        except (AtlasError, LookupError) as error:
            unknown = f"its trained model cannot be used, so its cost is unknown ({error})"
            found = Costs(parameters=good.result.get("parameters"))
    elif good is not None:
        seconds = good.result["clock"]["seconds"]
    results = [_run_result(g, dataset, spec, metric) for g in runs]
    if good is not None:
        results[runs.index(good)].samples = samples
    settings = {} if done.baseline or good is None else _settings(good)
    name = done.label if done.baseline else done.label.partition(" ")[0]
    return MethodResult(
        name=name if name in catalog() else done.label,
        label=done.label,
        parameters=found.parameters,
        macs=found.macs,
        seconds=seconds,
        latency_ms=found.latency_ms,
        settings=settings,
        runs=results,
        baseline=done.baseline,
        unknown_cost=unknown,
    )


def _settings(run: Gathered) -> dict[str, Any]:
    recipe = read_recipe(run.done.folder / RECIPE)
    said = {"optimizer": recipe.optimizer, "lr": recipe.lr, "batch_size": recipe.batch_size, **recipe.options}
    if recipe.steps or recipe.epochs or recipe.minutes:
        return {key: value for key, value in said.items() if value is not None and run.result.get("steps")}
    return dict(recipe.options)


def _cost(good: Gathered, runs: list[Gathered], dataset: Dataset, own: Any) -> tuple[Costs, float | None]:
    recipe = read_recipe(good.done.folder / RECIPE)
    own = None if isinstance(own, str) else own
    spec = spec_of(good)
    model = load_model(good.done.folder, recipe, spec, "cpu" if recipe.device == "cpu" else "auto", own)
    found = costs_of(model, torch.zeros(1, *spec.shape))
    steps = [g.result["steps"] for g in runs if g.result]
    if not isinstance(model, Learner):
        return found, float(np.mean([g.result["clock"]["seconds"] for g in runs if g.result]))
    each = step_seconds(recipe, dataset, own)
    return found, None if each is None else each * float(np.mean(steps))


def _samples(good: Gathered, own: Any) -> list[Any]:
    folder = good.done.folder
    preparation = sources.Preparation.load(folder / "preparation")
    recipe = read_recipe(folder / RECIPE)
    model = load_model(folder, recipe, preparation.spec, "auto", None if isinstance(own, str) else own)
    return Run(recipe, model, preparation, preparation.spec, folder).examples(SAMPLES)


def _run_result(run: Gathered, dataset: Dataset, spec: Spec, metric: str) -> RunResult:
    if run.done.error:
        return RunResult(run.done.seed, error=run.done.error)
    result = RunResult(
        run.done.seed,
        run.result["scores"],
        curve_of(run.done.folder),
        None if metric in run.result["scores"] or not run.result["scores"] else f"it has no {metric}",
        run.result.get("steps", 0),
        run.result["clock"]["seconds"],
    )
    result.returns = run.test.get(OWN + "return")
    return run_result(result, run.test, dataset, spec) if "prediction" in run.test else result


def run_result(result: RunResult, test: dict[str, Any], dataset: Dataset, spec: Spec) -> RunResult:
    """With what the predictions for the test part show: confusion, scatter, worst examples."""
    y, p, rows = test["y"], test["prediction"], test["rows"]
    if spec.task == "classification":
        result.confusion = confusion_matrix(y, p.argmax(1), labels=range(spec.outputs))
    elif spec.task == "regression":
        result.predicted = np.stack([y[:, 0], p[:, 0]], 1)
    result.worst = worst_of(dataset, spec, y, p, rows)
    return result


def curve_of(folder: Path) -> list[dict[str, float]]:
    """A run's validations with the training values before them; training alone where none is validated."""
    curve: list[dict[str, float]] = []
    trained: dict[str, float] = {}
    lines = read_record(folder / RECORD)
    validated = any(line["kind"] == "valid" for line in lines)
    for line in lines:
        values = {k: v for k, v in line.items() if isinstance(v, float) and k not in ("clock", "epoch")}
        where = {"step": line.get("step", 0), "epoch": line.get("epoch", 0.0)}
        if line["kind"] == "train":
            trained = {f"train_{k}": v for k, v in values.items() if k.rpartition(".")[2] != "lr"}
            if not validated:
                curve.append({**where, **trained})
        elif line["kind"] == "valid":
            curve.append({**where, **trained, **{f"valid_{k}": v for k, v in values.items()}})
    return curve


def worst_of(dataset: Dataset, spec: Spec, y: Any, p: Any, rows: Any) -> list[Worst]:
    """The test samples that a run got most wrong: the surest of the wrong classes, or the largest errors."""
    if spec.task == "classification":
        sure = np.where(p.argmax(1) != y, p.max(1), -1.0)
        order = [int(i) for i in np.argsort(-sure, kind="stable")[:WORST] if sure[i] >= 0]
        names = spec.classes
        words = [(names[int(y[i])], names[int(p[i].argmax())], float(sure[i])) for i in order]
    elif spec.task == "regression":
        error = np.abs(y - p).max(1)
        order = [int(i) for i in np.argsort(-error, kind="stable")[:WORST]]
        words = [(f"{y[i, 0]:.4g}", f"{p[i, 0]:.4g}", float(error[i])) for i in order]
    else:
        return []
    return [Worst(*said, **_shown(dataset, int(rows[i]))) for said, i in zip(words, order, strict=True)]


def _shown(dataset: Dataset, row: int) -> dict[str, Any]:
    if isinstance(dataset.inputs, pd.DataFrame):
        cells = dataset.inputs.iloc[row].items()
        return {"cells": {str(k): f"{v:.4g}" if isinstance(v, float) else str(v) for k, v in cells}}
    maximum = getattr(dataset, "maximum", 255)
    image = dataset.inputs[row].astype(np.float32) * (255 / maximum)
    return {"image": image.round().astype(np.uint8)}


def summary_of(dataset: Dataset | None, name: str, spec: Spec, result: dict[str, Any]) -> DataSummary:
    """The data in a few numbers, as one of its runs saw it."""
    parts = result["parts"]
    sizes = (parts.get("train", 0), parts.get("valid", 0), parts.get("test", 0))
    shape = spec.shape if dataset is None else tuple(dataset.inputs.shape[1:])
    notes = list(result.get("notes", ()))
    name = name if dataset is None else dataset.name
    return DataSummary(name, spec.task, spec.modality, shape, *sizes, spec.classes, spec.counts, notes)
