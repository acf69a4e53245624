"""What a comparison found: judged, and written as table, verdict and report."""

import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...data.spec import Dataset, Spec
from ...engine.checkpoint import replace_durably, unwritable
from ...engine.environment import environment
from ...engine.errors import AtlasError
from ..report import DataSummary, StudyResult, render
from ..report.numbers import as_json, results_rows
from ..training.recipe import read_recipe
from ..training.run import RECIPE
from ..training.scores import SCORES, higher_is_better
from ..training.testing import OWN
from ..verdict.model import Verdict
from ..verdict.statistics import compare_all
from .gathering import Gathered, gather, method_result, spec_of, summary_of
from .jobs import Done, Entry
from .repeat import command_of


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
        from ..report.charts import figures

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
        table = self.table.to_html(float_format="{:.4g}".format)
        return f"<p><b>{self.sentence}</b></p>{table}<p>report: {self.report}</p>"

    def __repr__(self) -> str:
        return f"{self.text()}\n\n{self.sentence}\nreport: {self.report}"


def summarize(
    folder: Path,
    dataset: Dataset,
    done: Sequence[Done],
    question: dict[str, Any],
    entries: Sequence[Entry],
) -> Comparison:
    """Judge a study's runs and write `report.html`, `results.csv` and `results.json` into its folder."""
    order = {
        (e, s): i for i, (s, e) in enumerate((s, e) for s in question["seeds"] for e in question["methods"])
    }
    gathered = [gather(d) for d in sorted(done, key=lambda d: order.get((d.label, d.seed), len(order)))]
    competing = [g for g in gathered if g.result and not g.done.baseline]
    metric = Counter(g.result["metric"] for g in competing).most_common(1)[0][0]
    spec = spec_of(competing[0])
    own = {entry.label: entry.method for entry in entries}
    labels = [*question["methods"], *dict.fromkeys(g.done.label for g in gathered if g.done.baseline)]
    methods = [
        method_result([g for g in gathered if g.done.label == n], dataset, spec, metric, own.get(n))
        for n in labels
    ]
    command, unrepeatable = command_of(question)
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
        split=_split_words(dataset, gathered),
        recipe_yaml=_recipe_text(gathered),
        command=command,
        unrepeatable=unrepeatable,
        environment=environment(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        warnings=[f"{m.label}: {m.unknown_cost}" for m in methods if m.unknown_cost],
    )
    if not any(g.result["scores"] for g in competing):
        study.verdict = _unscored(study.verdict, gathered)
    comparison = Comparison(study, folder)
    write_study(comparison)
    return comparison


def _unscored(verdict: Verdict, gathered: list[Gathered]) -> Verdict:
    """The verdict over methods that have no score (GANs): nothing failed, and nothing can be said."""
    failed = Counter(g.done.label for g in gathered if g.done.error)
    methods = tuple(replace(m, failed=failed[m.name]) for m in verdict.methods)
    sentence = "These methods have no score to compare them by; look at their samples in the report."
    return replace(verdict, methods=methods, sentence=sentence)


def write_study(comparison: Comparison) -> None:
    """The report and the numbers beside it."""
    study, folder = comparison.study, comparison.folder
    try:
        replace_durably(folder / "report.html", render(study).encode())
        replace_durably(folder / "results.json", json.dumps(as_json(study), indent=1).encode())
        rows = results_rows(study)
        columns = list(dict.fromkeys(key for row in rows for key in row))
        with open(folder / "results.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise AtlasError(unwritable(folder, error)) from error


def _better(spec: Spec, metric: str) -> bool:
    return higher_is_better(spec, metric)


def _redrawn(dataset: Dataset, gathered: list[Gathered]) -> bool:
    """Whether each seed has its own test part: not where the data has one, nor where time splits it."""
    rows = {g.done.seed: g.test["rows"].tobytes() for g in gathered if g.test}
    return len(set(rows.values())) > 1 if len(rows) > 1 else not len(dataset.test)


def _split_words(dataset: Dataset, gathered: list[Gathered]) -> str:
    if _redrawn(dataset, gathered):
        return "redrawn for each seed"
    return "the data's own test part" if len(dataset.test) else "the same test part for each seed"


def _per_sample(run: Gathered, spec: Spec, metric: str) -> Any:
    """A run's score for each test sample; None where the score is no mean over samples."""
    if OWN + metric in run.test:
        return run.test[OWN + metric]
    kind = SCORES.get(spec.task, {}).get(metric)
    if "prediction" not in run.test or kind is None or kind.sample is None:
        return None
    return kind.sample(run.test["y"], run.test["prediction"])


def _judge(
    gathered: list[Gathered], labels: list[str], spec: Spec, metric: str, dataset: Dataset, seeds: list[int]
) -> Any:
    found = {(g.done.label, g.done.seed): g for g in gathered}

    def score(name: str, seed: int) -> float:
        run = found.get((name, seed))
        return float(run.result.get("scores", {}).get(metric, np.nan)) if run else np.nan

    scores = {name: [score(name, seed) for seed in seeds] for name in labels}
    redrawn = _redrawn(dataset, gathered)
    parts = next(g.result["parts"] for g in gathered if g.result)
    per_sample = None
    rows = {key: kept for key, g in found.items() if (kept := _per_sample(g, spec, metric)) is not None}
    if not redrawn and rows and len({len(values) for values in rows.values()}) == 1:
        nothing = np.full(len(next(iter(rows.values()))), np.nan)
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
        failures=_failures(gathered),
    )


def _failures(gathered: list[Gathered]) -> dict[str, str]:
    """Why a method failed: the first line of its first failure."""
    return {g.done.label: g.done.reason for g in reversed(gathered) if g.done.error}


def _summary(dataset: Dataset, spec: Spec, gathered: list[Gathered]) -> DataSummary:
    found = summary_of(dataset, dataset.name, spec, next(g.result for g in gathered if g.result))
    found.notes = list(dict.fromkeys(note for g in gathered for note in g.result.get("notes", ())))
    return found


def _budget(gathered: list[Gathered]) -> str:
    budgets = []
    for run in gathered:
        if run.result.get("steps") and not run.done.baseline:
            recipe = read_recipe(run.done.folder / RECIPE)
            said = ((recipe.steps, "steps"), (recipe.epochs, "epochs"), (recipe.minutes, "minutes per run"))
            budgets.append(next(f"{value:g} {unit}" for value, unit in said if value is not None))
    found = list(dict.fromkeys(budgets))
    return found[0] if len(found) == 1 else " or ".join(found) + " (each method's default recipe)"


def _recipe_text(gathered: list[Gathered]) -> str:
    texts = []
    for label in dict.fromkeys(g.done.label for g in gathered if g.result and not g.done.baseline):
        good = next(g for g in gathered if g.done.label == label and g.result)
        texts.append(f"# {label}\n{(good.done.folder / RECIPE).read_text(encoding='utf-8')}")
    return "\n".join(texts)
