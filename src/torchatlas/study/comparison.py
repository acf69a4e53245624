"""What a comparison found: gathered from its runs' folders, judged, and written as table, verdict and report."""

import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from safetensors.numpy import load_file
from sklearn.metrics import confusion_matrix

from .. import data as sources
from ..cards.reader import catalog
from ..data.spec import Dataset, Spec
from ..engine.checkpoint import replace_durably, unwritable
from ..engine.environment import environment
from ..engine.errors import AtlasError
from ..engine.learner import Learner
from ..engine.record import read_record
from .costs import Costs, costs_of, step_seconds
from .recipe import read_recipe
from .report import render
from .report.model import DataSummary, MethodResult, RunResult, StudyResult, Worst
from .report.numbers import as_json, results_rows
from .resolve import card_of
from .run import RECIPE, RECORD, RESULT, TEST, Run, load_model
from .scores import SCORES, higher_is_better
from .statistics import compare_all

if TYPE_CHECKING:
    from .compare import Done, Entry

WORST, SAMPLES = 12, 16


@dataclass
class Comparison:
    """A finished study. In a notebook it shows itself; `figures` holds matplotlib figures by name."""

    study: StudyResult
    folder: Path

    @property
    def verdict(self) -> Any:
        """Intervals, pairs and tests."""
        return self.study.verdict

    @property
    def sentence(self) -> str:
        """The verdict in a sentence."""
        return self.study.verdict.sentence

    @property
    def report(self) -> Path:
        """The HTML file."""
        return self.folder / "report.html"

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row per method, best first: mean, interval, runs, cost."""
        found = {m.label: m for m in [*self.study.methods, *self.study.baselines]}
        rows = []
        for score in self.study.verdict.methods:
            method = found[score.name]
            rows.append(
                {
                    "method": score.name + (" (baseline)" if score.baseline else ""),
                    self.study.metric: score.mean,
                    "low": score.low,
                    "high": score.high,
                    "runs": score.seeds,
                    "failed": score.failed,
                    "parameters": method.parameters,
                    "multiply_adds": method.macs,
                    "train_seconds": method.seconds,
                    "latency_ms": method.latency_ms,
                }
            )
        whole = ("runs", "failed", "parameters", "multiply_adds")
        return pd.DataFrame(rows).set_index("method").astype(dict.fromkeys(whole, "Int64"))

    @property
    def figures(self) -> dict[str, Any]:
        """Matplotlib figures: scores by seed, learning curves, score against cost."""
        from .report.charts import figures

        return figures(self.study)

    def text(self) -> str:
        """The table for a terminal."""
        table = self.table.reset_index()
        shown = {"low": "95 % low", "high": "high", "multiply_adds": "mult-adds", "train_seconds": "train s"}
        formats = {self.study.metric: "{:.4g}", "low": "{:.4g}", "high": "{:.4g}", "train_seconds": "{:.2f}"}
        for column in table.columns:
            form = formats.get(column, "{:.3f}" if column == "latency_ms" else "{:,}")
            if column != "method":
                table[column] = ["-" if pd.isna(v) else form.format(v) for v in table[column]]
        return str(table.rename(columns=shown).to_string(index=False))

    def _repr_html_(self) -> str:
        return f"<p><b>{self.sentence}</b></p>{self.table.to_html(float_format='{:.4g}'.format)}<p>report: {self.report}</p>"

    def __repr__(self) -> str:
        return f"{self.text()}\n\n{self.sentence}\nreport: {self.report}"


@dataclass
class _Gathered:
    """A run of the study as its folder tells it."""

    done: "Done"
    result: dict[str, Any] = field(default_factory=dict)
    test: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)


def summarize(
    folder: Path,
    dataset: Dataset,
    done: Sequence["Done"],
    question: dict[str, Any],
    entries: Sequence["Entry"],
) -> Comparison:
    """Judge a study's runs and write `report.html`, `results.csv` and `results.json` into its folder."""
    order = {
        (e, s): i for i, (s, e) in enumerate((s, e) for s in question["seeds"] for e in question["methods"])
    }
    gathered = [_gather(d) for d in sorted(done, key=lambda d: order.get((d.label, d.seed), len(order)))]
    metric = Counter(g.result["metric"] for g in gathered if g.result).most_common(1)[0][0]
    spec = next(_spec(g) for g in gathered if not g.done.baseline and g.result)
    own = {entry.label: entry.method for entry in entries}
    labels = [*question["methods"], *dict.fromkeys(g.done.label for g in gathered if g.done.baseline)]
    methods = [
        _method([g for g in gathered if g.done.label == n], dataset, spec, metric, own.get(n)) for n in labels
    ]
    study = StudyResult(
        title=f"{', '.join(question['methods'])} on {dataset.name}",
        question=f"Which of {', '.join(question['methods'])} is best on {dataset.name}?",
        data=_summary(dataset, spec, gathered),
        metric=metric,
        higher_is_better=_better(spec, metric),
        methods=[m for m in methods if not m.baseline],
        baselines=[m for m in methods if m.baseline],
        verdict=_judge(gathered, labels, spec, metric, dataset, question["seeds"]),
        budget=_budget(gathered),
        tuning="Each method with its default recipe and the settings shown; nothing was tuned for this data.",
        split="the data's own test part" if len(dataset.test) else "redrawn for each seed",
        recipe_yaml=_recipe_text(gathered),
        command=_command(question, folder),
        environment=environment(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    comparison = Comparison(study, folder)
    write_study(comparison)
    return comparison


def write_study(comparison: Comparison) -> None:
    """The report and the numbers beside it."""
    study, folder = comparison.study, comparison.folder
    try:
        replace_durably(folder / "report.html", render(study).encode())
        replace_durably(folder / "results.json", json.dumps(as_json(study), indent=1).encode())
        rows = results_rows(study)
        columns = list(dict.fromkeys(key for row in rows for key in row))
        with open(folder / "results.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise AtlasError(unwritable(folder, error)) from error


def _gather(done: "Done") -> _Gathered:
    if done.error:
        return _Gathered(done)
    result = json.loads((done.folder / RESULT).read_text())
    test = load_file(done.folder / TEST) if (done.folder / TEST).exists() else {}
    return _Gathered(done, result, test)


def _spec(run: _Gathered) -> Spec:
    spec: Spec = sources.Preparation.load(run.done.folder / "preparation").spec
    return spec


def _better(spec: Spec, metric: str) -> bool:
    return metric in SCORES.get(spec.task, {}) and higher_is_better(spec, metric)


def _judge(
    gathered: list[_Gathered], labels: list[str], spec: Spec, metric: str, dataset: Dataset, seeds: list[int]
) -> Any:
    found = {(g.done.label, g.done.seed): g for g in gathered}

    def score(name: str, seed: int) -> float:
        run = found.get((name, seed))
        return float(run.result.get("scores", {}).get(metric, np.nan)) if run else np.nan

    scores = {name: [score(name, seed) for seed in seeds] for name in labels}
    redrawn = not len(dataset.test)
    parts = next(g.result["parts"] for g in gathered if g.result)
    kind = SCORES.get(spec.task, {}).get(metric)
    per_sample = None
    if not redrawn and kind is not None and kind.sample is not None:
        size = parts["test"]
        nothing = np.full(size, np.nan)
        rows = {key: kind.sample(g.test["y"], g.test["prediction"]) for key, g in found.items() if g.test}
        per_sample = {name: np.stack([rows.get((name, s), nothing) for s in seeds]) for name in labels}
    return compare_all(
        scores,
        n_train=parts["train"],
        n_test=parts.get("test", 0),
        redrawn=redrawn,
        per_sample=per_sample,
        higher_is_better=_better(spec, metric),
        metric=metric,
        baselines={g.done.label for g in gathered if g.done.baseline},
    )


def _method(runs: list[_Gathered], dataset: Dataset, spec: Spec, metric: str, own: Any) -> MethodResult:
    """One method's runs, and its cost, measured on the first that succeeded."""
    done = runs[0].done
    good = next((g for g in runs if g.result), None)
    found, seconds = Costs(), None
    if good is not None and not done.baseline:
        found, seconds = _cost(good, runs, dataset, own)
    elif good is not None:
        seconds = good.result["clock"]["seconds"]
    results = [_run_result(g, dataset, spec, metric) for g in runs]
    if good is not None and not done.baseline and not good.test:
        results[runs.index(good)].samples = _samples(good, own)
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
    )


def _settings(run: _Gathered) -> dict[str, Any]:
    recipe = read_recipe(run.done.folder / RECIPE)
    said = {"optimizer": recipe.optimizer, "lr": recipe.lr, "batch_size": recipe.batch_size, **recipe.options}
    if recipe.steps or recipe.epochs or recipe.minutes:
        return {key: value for key, value in said.items() if value is not None and run.result.get("steps")}
    return dict(recipe.options)


def _cost(good: _Gathered, runs: list[_Gathered], dataset: Dataset, own: Any) -> tuple[Costs, float | None]:
    recipe = read_recipe(good.done.folder / RECIPE)
    own = None if isinstance(own, str) else own
    spec = _spec(good)
    model = load_model(good.done.folder, recipe, spec, "cpu" if recipe.device == "cpu" else "auto", own)
    found = costs_of(model, torch.zeros(1, *spec.shape))
    steps = [g.result["steps"] for g in runs if g.result]
    if not isinstance(model, Learner):
        return found, float(np.mean([g.result["clock"]["seconds"] for g in runs if g.result]))
    return found, step_seconds(recipe, dataset, own) * float(np.mean(steps))


def _samples(good: _Gathered, own: Any) -> list[Any]:
    folder = good.done.folder
    preparation = sources.Preparation.load(folder / "preparation")
    recipe = read_recipe(folder / RECIPE)
    model = load_model(folder, recipe, preparation.spec, "auto", None if isinstance(own, str) else own)
    if preparation.spec.modality != "image" or not isinstance(model, Learner):
        return []
    return list(Run(recipe, model, preparation, preparation.spec, folder).sample(SAMPLES))


def _run_result(run: _Gathered, dataset: Dataset, spec: Spec, metric: str) -> RunResult:
    if run.done.error:
        return RunResult(run.done.seed, error=run.done.error)
    result = RunResult(
        run.done.seed,
        run.result["scores"],
        curve_of(run.done.folder),
        None if metric in run.result["scores"] else f"this method has no {metric}",
        run.result.get("steps", 0),
        run.result["clock"]["seconds"],
    )
    return run_result(result, run.test, dataset, spec) if run.test else result


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
    """A run's validations, each with the training values before it; training alone where nothing is validated."""
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


def _summary(dataset: Dataset, spec: Spec, gathered: list[_Gathered]) -> DataSummary:
    found = summary_of(dataset, dataset.name, spec, next(g.result for g in gathered if g.result))
    found.notes = list(dict.fromkeys(note for g in gathered for note in g.result.get("notes", ())))
    return found


def _budget(gathered: list[_Gathered]) -> str:
    budgets = []
    for run in gathered:
        if run.result.get("steps") and not run.done.baseline:
            recipe = read_recipe(run.done.folder / RECIPE)
            said = ((recipe.steps, "steps"), (recipe.epochs, "epochs"), (recipe.minutes, "minutes per run"))
            budgets.append(next(f"{value:g} {unit}" for value, unit in said if value is not None))
    found = list(dict.fromkeys(budgets))
    return found[0] if len(found) == 1 else " or ".join(found) + " (each method's default recipe)"


def _recipe_text(gathered: list[_Gathered]) -> str:
    texts = []
    for label in dict.fromkeys(g.done.label for g in gathered if g.result and not g.done.baseline):
        good = next(g for g in gathered if g.done.label == label and g.result)
        texts.append(f"# {label}\n{(good.done.folder / RECIPE).read_text()}")
    return "\n".join(texts)


def _command(question: dict[str, Any], folder: Path) -> str:
    """A command that repeats the study, where words can say it."""
    methods = question["methods"]
    names = list(dict.fromkeys(card_of(m["method"]).name for m in methods.values()))
    same = [
        k
        for k in next(iter(methods.values()))["settings"]
        if all(k in m["settings"] for m in methods.values())
    ]
    words = [
        f"torchatlas compare {' '.join(names)} --data {question['data']} --seeds {len(question['seeds'])}"
    ]
    for key in same:
        values = list(dict.fromkeys(json.dumps(m["settings"][key]).strip('"') for m in methods.values()))
        words.append(
            f"--vary '{key}={','.join(values)}'" if len(values) > 1 else f"--set '{key}={values[0]}'"
        )
    for key, value in question["data_options"].items():
        for item in value if isinstance(value, list) else [value]:
            words.append(f"--{key} {item}")
    return " ".join(words)
