"""The figures of agents: returns while they learn, and the returns of the test episodes."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from scipy.stats import trim_mean

from . import parts
from .markup import Child, Html, table, tag
from .model import RunResult
from .plots import POINTS, Floats, Mark, quantity, titled
from .svg import WIDTH, Chart, drawing
from .view import curve_of

QUARTER = 0.25
BINS = 20
RESAMPLES = 2000


def interquartile_mean(returns: Floats) -> float:
    """The mean of the middle half of all values, over seeds and episodes; values that are none are left out.

    Agarwal et al., Deep reinforcement learning at the edge of the statistical precipice, arXiv:2108.13264:
    a lucky or a lost run moves it less than the mean, and it wastes less than the median.
    """
    kept = returns[np.isfinite(returns)]
    return float(trim_mean(kept, QUARTER)) if len(kept) else math.nan


def interval(returns: Floats, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """A bootstrap interval of the interquartile mean of (runs, episodes): runs are redrawn, then episodes."""
    runs, episodes = returns.shape
    draw = np.random.default_rng(seed)
    chosen = draw.integers(runs, size=(RESAMPLES, runs, 1))
    drawn = returns[chosen, draw.integers(episodes, size=(RESAMPLES, runs, episodes))]
    means = trim_mean(drawn.reshape(RESAMPLES, -1), QUARTER, axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def return_curves(
    lines: Sequence[tuple[Mark, Sequence[tuple[Floats, Floats]]]],
    x: str = "step",
    y: str = "return (validation)",
) -> Chart:
    """Per method the interquartile mean of its seeds' returns, in a band over their middle half.

    `lines`: each method's runs as (steps, mean returns of the validation episodes). A run that stopped
    early is held at its last value.
    """
    with drawing():
        figure = Figure((WIDTH, 3.3), layout="constrained")
        axes = figure.subplots()
        titles = {}
        for mark, runs in lines:
            grid, stack = _together(runs)
            if not len(grid):
                continue
            middle = trim_mean(stack, QUARTER, axis=0)
            if len(stack) > 1:
                low, high = np.quantile(stack, [QUARTER, 1 - QUARTER], axis=0)
                band: Any = {"alpha": 0.16, "linewidth": 0, "gid": mark.gid("band")}
                axes.fill_between(grid, low, high, color=mark.colour, **band)
            axes.plot(grid, middle, color=mark.colour, linewidth=1.7, gid=mark.gid("curve"))
            titles[mark.gid("curve")] = mark.label
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: quantity(value)))
        axes.set_xlabel(x)
        titled(axes, y)
        return Chart(figure, "returns", f"{y} by {x}", titles)


def return_histogram(rows: Sequence[tuple[Mark, Floats]], x: str = "return") -> Chart:
    """How many test episodes had which return, per method, with a line at the interquartile mean."""
    with drawing():
        figure = Figure((WIDTH, 3.3), layout="constrained")
        axes = figure.subplots()
        titles = {}
        kept = [(mark, values[np.isfinite(values)]) for mark, values in rows]
        ends = [float(end) for _, values in kept if len(values) for end in (values.min(), values.max())]
        low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
        bins = np.linspace(low, high if high > low else low + 1, BINS + 1)
        for mark, values in kept:
            if not len(values):
                continue
            middle, colour = interquartile_mean(values), mark.colour
            counts, edges = np.histogram(values, bins)
            axes.stairs(counts, edges, fill=True, color=colour, alpha=0.35, gid=mark.gid("episodes"))
            axes.axvline(middle, color=colour, linewidth=1.7, gid=mark.gid("middle"))
            titles[mark.gid("middle")] = f"{mark.label}: {quantity(middle)} over {len(values)} episodes"
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.set_xlabel(x)
        titled(axes, "test episodes")
        return Chart(figure, "episodes", "Returns of the test episodes", titles)


def returns_section(methods: Sequence[tuple[Mark, Sequence[RunResult]]]) -> Html | None:
    """The section on agents: interquartile means with intervals, curves and episodes; None without agents."""
    acted = [(mark, [run for run in runs if run.returns is not None]) for mark, runs in methods]
    acted = [(mark, runs) for mark, runs in acted if runs]
    if not acted:
        return None
    rows: list[list[Child]] = []
    for mark, runs in acted:
        returns = np.stack([np.asarray(run.returns, dtype=float) for run in runs])
        low, high = interval(returns)
        middle = f"{quantity(interquartile_mean(returns))} ({quantity(low)} to {quantity(high)})"
        rows.append([mark.label, middle, f"{returns.mean():.4g}", f"{returns.min():.4g}", str(returns.size)])
    curves = [(mark, [curve_of(run.curve, "valid_return", "step") for run in runs]) for mark, runs in acted]
    episodes = [
        (mark, np.concatenate([np.asarray(run.returns, float) for run in runs])) for mark, runs in acted
    ]
    charts = [parts.figure(return_curves(curves)), parts.figure(return_histogram(episodes))]
    names = ["method", "interquartile mean (95 % interval)", "mean", "lowest", "test episodes"]
    lead = "The interquartile mean is that of the middle half of all episodes and seeds."
    shown = [table(names, rows, class_="plain"), tag("div", charts, class_="pair")]
    return parts.section("returns", "Returns", *shown, lead=lead)


def _together(runs: Sequence[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    """All runs at the steps where any of them was validated: (points,), (runs, points)."""
    found = [(x[seen], y[seen]) for x, y in runs if (seen := np.isfinite(y)).any()]
    if not found:
        return np.empty(0), np.empty((0, 0))
    grid = np.unique(np.concatenate([x for x, _ in found]))
    if len(grid) > POINTS:
        grid = grid[np.unique(np.linspace(0, len(grid) - 1, POINTS).astype(int))]
    return grid, np.stack([np.interp(grid, x, y) for x, y in found])
