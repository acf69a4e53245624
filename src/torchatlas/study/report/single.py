"""The report of one run: its scores, how it learned, where it fails, what it draws."""

import math
from collections.abc import Sequence

import numpy as np

from ..verdict.wording import metric_text, score_text
from . import parts, run_charts
from .charts import curve_text
from .markup import Child, Html, table, tag
from .model import RunReport, RunResult
from .plots import Mark
from .regression import regression_figures
from .returns import returns_section
from .sizes import sizes_section
from .view import curve_of


def render_run(report: RunReport) -> str:
    """One run's report as one HTML file that is read offline, light and dark."""
    run = report.method.runs[0] if report.method.runs else RunResult(seed=0, error="it did not start")
    alone = [(Mark(0, report.method.label), [run])]
    shown = [_samples(run), returns_section(alone), sizes_section(alone, report.data)]
    body = [_head(report, run), _scores(report, run), *shown, _learning(run), _mistakes(report, run)]
    about = [*parts.data_facts(report.data), ("budget", report.budget), *_cost(report, run)]
    how = parts.section("how", "Data and cost", parts.facts(about))
    ending = parts.closing(report.recipe_yaml, report.command, report.environment, report.unrepeatable)
    return parts.document(report.title, [*body, how, *ending])


def _head(report: RunReport, run: RunResult) -> Html:
    kicker = tag("p", "torchatlas run", parts.day(report.created), class_="kicker")
    label, metric, value = (
        report.method.label,
        metric_text(report.metric),
        run.scores.get(report.metric, math.nan),
    )
    if run.error:
        told = f"{label} failed: {run.error}"
    elif math.isfinite(value):
        told = f"{label} reaches {score_text(value, report.metric)} {metric} on {report.data.name}."
    else:
        told = f"{label} learned {report.data.name} for {run.steps:,} steps."
    against = [text for b in report.baselines if (text := _baseline(report, b.label, b.runs, value))]
    more = tag("p", " ".join(against), class_="more") if against else None
    return tag("header", kicker, tag("h1", report.title), tag("p", told, class_="verdict"), more,
               parts.alerts(report.warnings))  # fmt: skip


def _baseline(report: RunReport, label: str, runs: Sequence[RunResult], value: float) -> str | None:
    found = [run.scores.get(report.metric, math.nan) for run in runs]
    if not found or not math.isfinite(found[0]):
        return None
    return f"The baseline {label} has {score_text(found[0], report.metric)}."


def _scores(report: RunReport, run: RunResult) -> Html | None:
    if not run.scores:
        return None
    learned = run.train_scores
    rows: list[list[Child]] = [
        [metric_text(name), *(score_text(of[name], name) for of in (run.scores, learned) if name in of)]
        for name in run.scores
    ]
    head = ["score", "test part", "training part"][: 3 if learned else 2]
    lead = f"On {report.data.n_test:,} test samples, looked at once. One run does not tell how seeds differ."
    if learned:
        lead += " Far better ones on samples that it learned from mean that it knows these by heart."
    return parts.section("results", "Scores", table(head, rows, class_="plain short"), lead=lead)


def _samples(run: RunResult) -> Html | None:
    if not run.samples:
        return None
    return parts.section(
        "samples", "Samples", parts.samples_grid(run.samples), lead="Drawn by the trained model."
    )


def _learning(run: RunResult) -> Html | None:
    """Losses in one chart, each further score in one of its own."""
    x = "epoch" if run.curve and all(entry.get("epoch") for entry in run.curve) else "step"
    keys = list(dict.fromkeys(key for entry in run.curve for key in entry if key not in ("step", "epoch")))
    keys = [key for key in keys if run.returns is None or key != "valid_return"]  # shown with the returns
    curves = {key: found for key in keys if np.isfinite((found := curve_of(run.curve, key, x))[1]).any()}
    losses = [(curve_text(key), *curves.pop(key)) for key in list(curves) if "loss" in key]
    shown = [run_charts.lines("loss", losses, x, "loss")] if losses else []
    for i, (key, (steps, values)) in enumerate(curves.items()):
        shown.append(run_charts.lines(f"curve{i}", [("", steps, values)], x, curve_text(key)))
    if not shown:
        return None
    return parts.section("learning", "Learning", tag("div", [parts.figure(c) for c in shown], class_="pair"))


def _mistakes(report: RunReport, run: RunResult) -> list[Html]:
    found: list[Html] = []
    if matrix := parts.confusion([run], report.data.classes):
        found.append(parts.section("confusion", "What is taken for what", matrix))
    if scatter := regression_figures([run], 0, 1200):
        found.append(parts.section("predictions", "Predictions and truth", scatter))
    if examples := parts.worst(run.worst, report.data.task):
        found.append(parts.section("worst", "Worst mistakes", examples))
    return found


def _cost(report: RunReport, run: RunResult) -> list[tuple[str, Child]]:
    method = report.method
    latency = (
        None if method.latency_ms is None else f"{parts.seconds_text(method.latency_ms / 1000)} a sample"
    )
    return [
        ("parameters", f"{method.parameters:,}" if method.parameters is not None else None),
        ("multiply-adds", f"{method.macs:,} a sample" if method.macs is not None else None),
        (
            "training",
            f"{parts.seconds_text(run.seconds)}, {run.steps:,} steps" if run.seconds is not None else None,
        ),
        ("latency", latency),
    ]
