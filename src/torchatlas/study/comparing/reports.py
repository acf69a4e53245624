"""Reports from folders: of one run, or of a comparison whose runs are there."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import yaml

from ... import data as sources
from ...engine.checkpoint import replace_durably, unwritable
from ...engine.environment import environment
from ...engine.errors import AtlasError
from ...engine.learner import Learner
from ..report import MethodResult, RunReport, RunResult, render_run
from ..training.costs import costs_of
from ..training.run import RECIPE, RESULT, Run, load
from ..training.scores import SCORES, higher_is_better
from .compare import STUDY, make_entries_again
from .gathering import SAMPLES, curve_of, run_result, summary_of
from .jobs import Done
from .summary import summarize


def report(folder: str | Path, out: str | Path | None = None) -> Path:
    """Write the HTML report of a run or a comparison; into its folder by default.

    Raises AtlasError where the folder holds neither, or the run is not finished.
    """
    folder = Path(folder)
    if (folder / STUDY).exists():
        return _study_report(folder, out)
    if not (folder / RECIPE).exists():
        raise AtlasError(f"{folder} holds neither a run ({RECIPE}) nor a comparison ({STUDY})")
    target = Path(out) if out else folder / "report.html"
    _write(target, render_run(run_report(load(folder))))
    return target


def run_report(run: Run, dataset: Any = None) -> RunReport:
    """Everything that a run's report says."""
    assert run.folder is not None, "a run that kept nothing has no report"
    if not run.result:
        raise AtlasError(
            f"{run.folder} is not finished; go on with it: torchatlas train --resume {run.folder}"
        )
    dataset = dataset if dataset is not None else _reopened(run)
    metric = run.result["metric"]
    result = RunResult(
        run.recipe.seed,
        run.scores,
        curve_of(run.folder),
        None,
        run.result["steps"],
        run.result["clock"]["seconds"],
    )
    if run.test and dataset is not None:
        result = run_result(result, run.test, dataset, run.spec)
    if not run.test and run.spec.modality == "image" and isinstance(run.model, Learner):
        result.samples = list(run.sample(SAMPLES))
    found = costs_of(run.model, torch.zeros(1, *run.spec.shape))
    method = MethodResult(
        run.recipe.method,
        run.recipe.method,
        found.parameters,
        found.macs,
        result.seconds,
        found.latency_ms,
        dict(run.recipe.options),
        [result],
    )
    return RunReport(
        title=f"{run.recipe.method} on {run.recipe.data}",
        data=summary_of(dataset, run.recipe.data, run.spec, run.result),
        metric=metric,
        higher_is_better=metric in SCORES.get(run.spec.task, {}) and higher_is_better(run.spec, metric),
        method=method,
        budget=f"{result.steps:,} steps",
        recipe_yaml=run.recipe.write(),
        command=f"torchatlas train {run.folder / RECIPE} --out ANOTHER-FOLDER",
        environment=environment(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _reopened(run: Run) -> Any:
    """The run's data, where it is still there; a report without pictures of mistakes otherwise."""
    try:
        return sources.open_dataset(run.recipe.data, **run.recipe.data_options)
    except AtlasError:
        return None


def _study_report(folder: Path, out: str | Path | None) -> Path:
    question = yaml.safe_load((folder / STUDY).read_text())
    question.pop("versions", None)
    dataset = sources.open_dataset(question["data"], **question["data_options"])
    entries = make_entries_again(question)
    done = []
    for path in sorted((folder / "runs").iterdir()):
        stem, _, seed = path.name.rpartition("-seed")
        label = next((e.label for e in entries if e.slug == stem), stem)
        missing = "" if (path / RESULT).exists() else "not finished"
        done.append(Done(label, int(seed), path, missing, (path / "baseline.json").exists()))
    if not any(d for d in done if not d.error):
        raise AtlasError(f"{folder} has no finished run yet; start the comparison again to go on with it")
    comparison = summarize(folder, dataset, done, question, entries)
    if out is None:
        return comparison.report
    _write(Path(out), comparison.report.read_text())
    return Path(out)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_durably(path, text.encode())
    except OSError as error:
        raise AtlasError(unwritable(path, error)) from error
