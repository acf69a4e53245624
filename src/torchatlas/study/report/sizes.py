"""The figures of classes of very different sizes: what is right of the large ones, and of the small."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from . import parts
from .markup import Child, Html, table, tag
from .model import DataSummary, RunResult
from .plots import Floats, Mark, titled
from .svg import WIDTH, Chart, drawing

UNEQUAL = 5  # times as many training rows in the largest class as in the smallest: the section appears
THIRDS = ("largest", "middle", "smallest")
NAMED = 20  # classes whose names fit below the picture


def recalls(runs: Sequence[RunResult]) -> Floats:
    """(runs, classes): the share of each class's test rows that is found; NaN for a class without any."""
    found = np.stack([np.asarray(run.confusion, dtype=float) for run in runs if run.confusion is not None])
    rows = found.sum(2)
    return np.divide(found.diagonal(axis1=1, axis2=2), rows, out=np.full(rows.shape, np.nan), where=rows > 0)


def by_size(counts: Sequence[int]) -> list[np.ndarray[Any, Any]]:
    """The numbers of the classes in three groups of equal length: of the most, middle and fewest rows."""
    order = np.argsort(-np.asarray(counts), kind="stable")
    return np.array_split(order, len(THIRDS))


def sizes_section(methods: Sequence[tuple[Mark, Sequence[RunResult]]], data: DataSummary) -> Html | None:
    """The section on classes by their training rows; None where these are much alike, or fewer than three."""
    counts = data.counts
    unlike = len(counts) >= len(THIRDS) and max(counts) >= UNEQUAL * max(min(counts), 1)
    scored = [(mark, [run for run in runs if run.confusion is not None]) for mark, runs in methods]
    scored = [(mark, runs) for mark, runs in scored if runs]
    if data.task != "classification" or not unlike or not scored:
        return None
    groups = by_size(counts)
    found = [(mark, recalls(runs)) for mark, runs in scored]
    rows: list[list[Child]] = []
    for mark, recall in found:
        thirds = [_told(_mean(recall[:, group], axis=1)) for group in groups]
        rows.append([mark.label, *thirds])
    heads = [f"{name}: {_classes(group)}, {_rows(counts, group)}" for name, group in zip(THIRDS, groups)]
    lead = (
        "Recall, the share of a class's test rows that is found, over the classes with the most, "
        "middle and fewest training rows: mean over the seeds, lowest and highest in brackets."
    )
    shown = table(["method", *heads], rows, class_="plain")
    chart = parts.figure(recall_chart(found, data), class_="chart broad")
    return parts.section("sizes", "Large classes and small ones", shown, chart, lead=lead)


def recall_chart(lines: Sequence[tuple[Mark, Floats]], data: DataSummary) -> Chart:
    """Per method the recall of each class, from that with the most training rows to that with the fewest."""
    order = np.concatenate(by_size(data.counts))
    with drawing():
        figure = Figure((WIDTH, 3.3), layout="constrained")
        axes = figure.subplots()
        titles = {}
        for mark, recall in lines:
            style: Any = {"markersize": 4.5, "linewidth": 1.4, "gid": mark.gid("recall")}
            axes.plot(_mean(recall, axis=0)[order], f"{mark.shape}-", color=mark.colour, **style)
            titles[mark.gid("recall")] = mark.label
        if len(order) <= NAMED:
            names = [f"{data.classes[c]}\n{data.counts[c]:,}" for c in order]
            axes.set_xticks(range(len(order)), names, fontsize="small")
        axes.set_ylim(-0.03, 1.03)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
        axes.set_xlabel("class, by training rows")
        titled(axes, "recall (test)")
        return Chart(figure, "recall", "Recall of each class, from the largest to the smallest", titles)


def _mean(values: Floats, axis: int) -> Floats:
    """The mean of what is known along an axis; NaN where nothing is."""
    known = np.isfinite(values).sum(axis)
    return np.divide(np.nansum(values, axis), known, out=np.full(known.shape, np.nan), where=known > 0)


def _told(values: Floats) -> Child:
    kept = values[np.isfinite(values)]
    if not len(kept):
        return "–"
    ends = f" ({kept.min():.3f} to {kept.max():.3f})" if len(kept) > 1 else ""
    return [tag("b", f"{kept.mean():.3f}"), ends]


def _classes(group: np.ndarray[Any, Any]) -> str:
    return f"{len(group)} class{'es' * (len(group) != 1)}"


def _rows(counts: Sequence[int], group: np.ndarray[Any, Any]) -> str:
    most, least = (f(counts[c] for c in group) for f in (max, min))
    return f"{most:,} rows" if most == least else f"{most:,} to {least:,} rows"
