"""The figures of a comparison: for the page as SVG, for a notebook as matplotlib figures."""

import math

import numpy as np
from matplotlib.figure import Figure

from ..verdict.wording import difference_text, is_share, metric_text
from . import plots
from .model import StudyResult
from .plots import Floats, Mark, Row
from .svg import Chart
from .view import View, curve_of

COSTS = (
    ("parameters", "parameters", "parameters"),
    ("macs", "multiply-adds", "multiply-adds of one sample"),
    ("seconds", "training time", "training, seconds"),
    ("latency_ms", "latency", "latency of one sample, milliseconds"),
)
LOSSES = 4  # training losses that are drawn: GANs have one per player


def figures(study: StudyResult) -> dict[str, Figure]:
    """Matplotlib figures by name: seeds, differences, curves, score against each cost."""
    view = View(study)
    drawn = [seeds(view), differences(view), *learning(view), *(chart for _, chart in costs(view))]
    found = {chart.name: chart.figure for chart in drawn if chart}
    for figure in found.values():
        figure.set_facecolor("white")
    return found


def seeds(view: View) -> Chart | None:
    """Each seed a dot; None where every run failed."""
    if view.best is None:
        return None
    rows = [view.row(method) for method in view.ranked]
    return plots.seed_dots(rows, metric_text(view.study.metric), view.told, view.seeds)


def differences(view: View) -> Chart | None:
    """Each method's difference to the best, with its interval."""
    metric, rows = view.study.metric, []
    scale = 100 if is_share(metric) else 1
    for method in view.ranked:
        pair = view.pair(method)
        if pair and math.isfinite(pair.difference):
            mean, low, high = (scale * value for value in (pair.difference, pair.low, pair.high))
            rows.append(Row(view.marks[method.label], [], mean, low, high, strong=pair.real))
    if not rows or view.best is None:
        return None
    axis = f"{metric_text(metric)} minus that of {view.best.label}" + (", points" if scale == 100 else "")
    return plots.difference_bars(rows, axis, lambda v: difference_text(v / scale, metric, signed=True))


def learning(view: View) -> list[Chart]:
    """The validation score and the training losses over epochs, or over steps where epochs are unknown."""
    entries = [e for m in view.everybody for run in m.runs for e in run.curve]
    x = "epoch" if entries and all(entry.get("epoch") for entry in entries) else "step"
    keys = list(dict.fromkeys(key for entry in entries for key in entry))
    score = f"valid_{view.study.metric}"
    wanted = [score if score in keys else "valid_loss"]
    wanted += [key for key in keys if key.startswith("train_") and key.endswith("loss")][:LOSSES]
    return [
        plots.curves("curve-" + key.replace("_", "-").replace(".", "-"), lines, x, curve_text(key))
        for key in wanted
        if (lines := _lines(view, key, x))
    ]


def curve_text(key: str) -> str:
    """A curve's name as read: "valid_accuracy" is "accuracy (validation)"."""
    place, _, name = key.partition("_")
    where = {"train": " (training)", "valid": " (validation)"}.get(place)
    return metric_text(key) if where is None else metric_text(name) + where


def costs(view: View) -> list[tuple[str, Chart]]:
    """The score against every cost that at least two methods have."""
    found, name = [], metric_text(view.study.metric)
    for key, label, axis in COSTS:
        rows = [
            (view.row(m), float(value))
            for m in view.everybody
            if (value := getattr(m, key)) and math.isfinite(view.scores[m.label].mean)
        ]
        if len(rows) > 1:
            found.append((label, plots.cost(f"cost-{key.replace('_', '-')}", rows, axis, name)))
    return found


def _lines(view: View, key: str, x: str) -> list[tuple[Mark, list[tuple[Floats, Floats]]]]:
    """The curves of the runs that ended well, by method."""
    found = []
    for method in view.everybody:
        runs = [curve_of(run.curve, key, x) for run in method.runs if not run.error]
        kept = [(steps, values) for steps, values in runs if np.isfinite(values).any()]
        if kept:
            found.append((view.marks[method.label], kept))
    return found
