"""Reports from folders: of one run, or of a comparison whose runs are there."""

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from ... import data as sources
from ...data.spec import Dataset
from ...engine.checkpoint import replace_durably, unwritable
from ...engine.environment import environment
from ...engine.errors import AtlasError
from ..report import MethodResult, RunReport, RunResult, render_run
from ..training.costs import costs_of
from ..training.inputs import fingerprint
from ..training.run import RECIPE, Run, load
from ..training.scores import higher_is_better
from ..training.testing import OWN
from .compare import STUDY, read_question
from .entries import make_entries_again
from .gathering import SAMPLES, curve_of, run_result, summary_of
from .jobs import Done, Entry, finished
from .repeat import nameable
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
        train_scores=run.result.get("train_scores", {}),
    )
    if "prediction" in run.test and dataset is not None:
        result = run_result(result, run.test, dataset, run.spec)
    if "prediction" not in run.test:
        result.samples = run.examples(SAMPLES)
        result.returns = run.test.get(OWN + "return")
    unrepeatable = _why_not(run, dataset)
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
        higher_is_better=higher_is_better(run.spec, metric),
        method=method,
        budget=f"{result.steps:,} steps",
        recipe_yaml=run.recipe.write(),
        command="" if unrepeatable else _command(run.folder),
        unrepeatable=unrepeatable,
        environment=environment(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _command(folder: Path) -> str:
    return shlex.join(("torchatlas", "train", str(folder / RECIPE), "--out", "ANOTHER-FOLDER"))


def _why_not(run: Run, dataset: Any) -> str:
    """Why no command repeats a run, or nothing where one does."""
    if not nameable(run.recipe.method):
        return "its method lived in a script, a notebook or a function, where no command finds it"
    return "" if dataset is not None else f"its data, {run.recipe.data}, is not there as it was"


def _reopened(run: Run) -> Any:
    """The run's data, where it is what it was; a report without pictures of mistakes otherwise."""
    try:
        dataset = sources.open_dataset(run.recipe.data, **run.recipe.data_options)
    except AtlasError:
        return None
    return dataset if run.recipe.data_fingerprint in (None, fingerprint(dataset)) else None


def _study_report(folder: Path, out: str | Path | None) -> Path:
    question = read_question(folder)
    entries = make_entries_again(question)
    done = [_done(path, entries) for path in sorted((folder / "runs").glob("*-seed*")) if _seed(path) >= 0]
    if not any(not d.error and not d.baseline for d in done):
        raise AtlasError(f"{folder} has no finished run yet; start the comparison again to go on with it")
    comparison = summarize(folder, _data_again(folder, question), done, question, entries)
    if out is None:
        return comparison.report
    _write(Path(out), comparison.report.read_text(encoding="utf-8"))
    return Path(out)


def _done(path: Path, entries: Sequence[Entry]) -> Done:
    baseline = (path / "baseline.json").exists()
    stem = path.name.rpartition("-seed")[0]
    label = next((e.label for e in entries if e.slug == stem), stem)
    return Done(label, _seed(path), path, "" if finished(path, baseline) else "not finished", baseline)


def _seed(path: Path) -> int:
    """The seed of a run's folder; -1 for a folder that is none."""
    number = path.name.rpartition("-seed")[2]
    return int(number) if number.isdecimal() else -1


def _data_again(folder: Path, question: dict[str, Any]) -> Dataset:
    """A study's data, which must be what it was: its report shows rows of it."""
    if question.get("data_given") == "object":
        raise AtlasError(
            f"the data of {folder} was an object in Python; its report is written by calling compare again "
            f"with the same arguments and out={str(folder)!r}: finished runs are kept"
        )
    dataset: Dataset = sources.open_dataset(question["data"], **question["data_options"])
    if question.get("data_fingerprint") not in (None, fingerprint(dataset)):
        raise AtlasError(
            f"{question['data']} is not what it was when {folder} was made; put the old data back"
        )
    return dataset


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_durably(path, text.encode())
    except OSError as error:
        raise AtlasError(unwritable(path, error)) from error
