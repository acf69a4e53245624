"""How the figures of a comparison are drawn: seeds as dots, differences, curves, score against cost."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from ..verdict.wording import MINUS
from .svg import INK, LINE, MUTED, PAPER, SERIES, WIDTH, Chart, drawing, series_colour

Floats = NDArray[np.float64]
START = 0.12  # share of the training whose scores may lie outside of the picture: it would flatten the rest
POINTS = 240  # of a drawn curve: more cannot be seen
SHAPES = ("o", "s", "^", "D")  # by the round of colours, so that the ninth method differs from the first


@dataclass(frozen=True)
class Mark:
    """How a method looks in every figure: its place in the palette; baselines are grey."""

    index: int
    label: str
    baseline: bool = False

    @property
    def colour(self) -> str:
        return MUTED if self.baseline else series_colour(self.index)

    @property
    def shape(self) -> str:
        return SHAPES[self.index // len(SERIES) % len(SHAPES)]

    @property
    def short(self) -> str:
        return self.label if len(self.label) <= 26 else f"{self.label[:25]}…"

    def gid(self, what: str) -> str:
        """The group's name in the picture: the page finds a method by it."""
        return f"s{self.index}-{what}"


@dataclass(frozen=True)
class Row:
    """One method's values with its interval, or its difference to the best."""

    mark: Mark
    values: Sequence[float]
    mean: float
    low: float
    high: float
    strong: bool = True


def quantity(value: float) -> str:
    """A count in short: 950, 44.4 k, 4.1 M, 11 G."""
    if not math.isfinite(value):
        return "–"
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g} {letter}"
    return f"{value:.3g}".replace("-", MINUS)


def seed_dots(rows: Sequence[Row], axis: str, telling: Callable[[float], str], seeds: Sequence[int]) -> Chart:
    """Each seed a dot, the mean a bar, the interval a line."""
    titles: dict[str, str] = {}
    with drawing():
        figure, axes = _rows(rows, axis)
        window = _window(axes, rows)
        for y, row in enumerate(rows):
            if _aside(axes, row, y, window, telling):
                continue
            _interval(axes, row, y)
            offsets = np.linspace(-0.16, 0.16, len(row.values)) if len(row.values) > 1 else [0.0]
            for seed, value, offset in zip(seeds, row.values, offsets, strict=False):
                if math.isfinite(value):
                    gid = row.mark.gid(f"dot{seed}")
                    titles[gid] = f"{row.mark.label}, seed {seed}: {telling(value)}"
                    style: Any = {"markersize": 5, "markeredgecolor": PAPER, "markeredgewidth": 0.7}
                    axes.plot([value], [y + offset], row.mark.shape, color=row.mark.colour, gid=gid, **style)
        return Chart(figure, "dots", f"{axis} of every method, each seed a dot", titles)


def difference_bars(rows: Sequence[Row], axis: str, telling: Callable[[float], str]) -> Chart:
    """Differences to the best with their intervals; hollow where none was shown."""
    titles: dict[str, str] = {}
    zero = Row(rows[0].mark, [0.0], 0.0, 0.0, 0.0)
    with drawing():
        figure, axes = _rows(rows, axis)
        axes.axvline(0, color=INK, linewidth=0.8)
        window = _window(axes, [*rows, zero])
        for y, row in enumerate(rows):
            if _aside(axes, row, y, window, telling):
                continue
            colour, gid = row.mark.colour, row.mark.gid("difference")
            titles[gid] = f"{row.mark.label}: {telling(row.mean)} ({telling(row.low)} to {telling(row.high)})"
            if math.isfinite(row.low):
                axes.plot([row.low, row.high], [y, y], color=colour, linewidth=2, gid=row.mark.gid("range"))
            fill = colour if row.strong else PAPER
            style: Any = {
                "markersize": 6.5,
                "markerfacecolor": fill,
                "markeredgecolor": colour,
                "markeredgewidth": 1.6,
            }
            axes.plot([row.mean], [y], "o", gid=gid, **style)
        return Chart(figure, "differences", "Difference of every method to the best, with interval", titles)


def alone(points: Sequence[float] | Floats) -> str:
    """The marker of a curve: a dot where there is one point, which a line would not show."""
    return "o" if len(points) == 1 else ""


def curves(name: str, lines: Sequence[tuple[Mark, Sequence[tuple[Floats, Floats]]]], x: str, y: str) -> Chart:
    """Mean curves in a band from the lowest to the highest seed; a log scale where it is needed."""
    with drawing():
        figure = Figure((WIDTH, 3.3), layout="constrained")
        axes = figure.subplots()
        lowest, highest, late = math.inf, 0.0, []
        for mark, runs in lines:
            grid, stack = _stacked(runs)
            if not len(grid):
                continue
            low, mean, high = stack.min(0), stack.mean(0), stack.max(0)
            if len(runs) > 1:
                axes.fill_between(
                    grid, low, high, color=mark.colour, alpha=0.16, linewidth=0, gid=mark.gid("band")
                )
            style: Any = {"linestyle": "--" if mark.index >= len(SERIES) else "-", "linewidth": 1.7}
            style |= {"marker": alone(grid)}
            axes.plot(grid, mean, color=mark.colour, gid=mark.gid("curve"), **style)
            lowest, highest = min(lowest, float(low.min())), max(highest, float(high.max()))
            settled = grid >= grid[0] + START * (grid[-1] - grid[0])
            late += [float(low[settled].min()), float(high[settled].max())]
        if lowest > 0 and highest / lowest > 20:
            _log(axes, "y", lowest, highest)
        elif len(late) and max(late) > min(late):
            margin = 0.06 * (max(late) - min(late))
            axes.set_ylim(min(late) - margin, max(late) + margin)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: quantity(value)))
        axes.set_xlabel(x)
        titled(axes, y)
        return Chart(figure, name, f"{y} by {x}", {mark.gid("curve"): mark.label for mark, _ in lines})


def cost(name: str, rows: Sequence[tuple[Row, float]], x: str, y: str) -> Chart:
    """Mean score against a cost on a log axis, each method labelled; up and left is better."""
    titles: dict[str, str] = {}
    with drawing():
        figure = Figure((WIDTH * 1.1, 3.4), layout="constrained")
        axes = figure.subplots()
        for row, price in rows:
            mark, gid = row.mark, row.mark.gid("cost")
            titles[gid] = f"{mark.label}: {quantity(price)}"
            if math.isfinite(row.low):
                ends = [row.low, row.high]
                axes.plot(
                    [price] * 2, ends, color=mark.colour, linewidth=1.4, alpha=0.55, gid=mark.gid("range")
                )
            style: Any = {"markersize": 8, "markeredgecolor": PAPER, "markeredgewidth": 0.9}
            axes.plot([price], [row.mean], mark.shape, color=mark.colour, gid=gid, **style)
        prices = [price for _, price in rows]
        room = max((max(prices) / min(prices)) ** 0.08, 1.3)
        _log(axes, "x", min(prices) / room, max(prices) * room)
        _labels(axes, rows)
        axes.set_xlabel(x)
        titled(axes, y)
        return Chart(figure, name, f"{y} against {x}", titles)


def _rows(rows: Sequence[Row], axis: str) -> tuple[Figure, Axes]:
    figure = Figure((WIDTH, 0.75 + 0.36 * len(rows)), layout="constrained")
    axes = figure.subplots()
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.yaxis.set_major_locator(FixedLocator(list(range(len(rows)))))
    axes.set_yticklabels([row.mark.short for row in rows], color=INK)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.margins(x=0.06)
    axes.set_xlabel(axis)
    return figure, axes


def _ends(row: Row) -> list[float]:
    return [value for value in (*row.values, row.low, row.mean, row.high) if math.isfinite(value)]


def _window(axes: Axes, rows: Sequence[Row]) -> tuple[float, float]:
    """Sets what the axis shows: all methods, and baselines unless these would press the methods together."""
    named = [end for row in rows if not row.mark.baseline for end in _ends(row)] or [0.0, 1.0]
    low, high = min(named), max(named)
    reach = 1.5 * (high - low)
    near = [end for row in rows if low - reach <= row.mean <= high + reach for end in _ends(row)]
    low, high = min(low, *near), max(high, *near)
    margin = 0.06 * (high - low) or 0.05 * max(abs(high), 1e-9)
    axes.set_xlim(low - margin, high + margin)
    return low - margin, high + margin


def _aside(
    axes: Axes, row: Row, y: float, window: tuple[float, float], telling: Callable[[float], str]
) -> bool:
    """Names a row that failed or lies outside of the window; True where there is no more to draw."""
    if not math.isfinite(row.mean):
        place, text, side = 0.02, "every run failed", "left"
    elif row.mean < window[0]:
        place, text, side = 0.0, f"← {telling(row.mean)}", "left"
    elif row.mean > window[1]:
        place, text, side = 1.0, f"{telling(row.mean)} →", "right"
    else:
        return False
    where = ("axes fraction", "data")
    axes.annotate(text, (place, y), xycoords=where, va="center", ha=side, color=MUTED)
    return True


def _interval(axes: Axes, row: Row, y: float) -> None:
    if math.isfinite(row.low):
        wide: Any = {"linewidth": 9, "alpha": 0.2, "solid_capstyle": "butt"}
        axes.plot([row.low, row.high], [y, y], color=row.mark.colour, gid=row.mark.gid("interval"), **wide)
    axes.plot(
        [row.mean] * 2, [y - 0.3, y + 0.3], color=row.mark.colour, linewidth=2.2, gid=row.mark.gid("mean")
    )


def _stacked(runs: Sequence[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    """All runs on one grid, each held at its last value after it stopped."""
    kept = [(x[np.isfinite(y)], y[np.isfinite(y)]) for x, y in runs]
    kept = [(x, y) for x, y in kept if len(x)]
    if not kept:
        return np.empty(0), np.empty((0, 0))
    grid = np.unique(np.concatenate([x for x, _ in kept]))
    if len(grid) > POINTS:
        grid = grid[np.unique(np.linspace(0, len(grid) - 1, POINTS).astype(int))]
    return grid, np.stack([np.interp(grid, x, y) for x, y in kept])


def _log(axes: Axes, which: str, low: float, high: float) -> None:
    """A log axis with ticks that are read at once: 1, 2, 5 where it spans little."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    if which == "x":
        axes.set_xlim(low, high)
    decades = math.log10(high / low)
    axis.set_major_locator(
        LogLocator(subs=(1.0,) if decades > 3 else (1.0, 3.0) if decades > 2 else (1.0, 2.0, 5.0))
    )
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: quantity(value)))


def titled(axes: Axes, text: str) -> None:
    """The vertical axis is named above its end, where it is read without turning the head."""
    axes.set_title(text, loc="left", fontsize=9, color=MUTED, pad=8)
    axes.tick_params(length=0)
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_color(LINE)


def _labels(axes: Axes, rows: Sequence[tuple[Row, float]]) -> None:
    """Names beside the points, towards the middle, pushed apart where they would lie on each other."""
    low, high = axes.get_ylim()
    left, right = (math.log10(end) for end in axes.get_xlim())
    gap = (high - low) * 0.07
    placed: list[tuple[float, float]] = []
    for row, price in sorted(rows, key=lambda pair: pair[0].mean):
        x, y = (math.log10(price) - left) / (right - left), row.mean
        for x_other, y_other in placed:
            y = max(y, y_other + gap) if abs(x - x_other) < 0.3 and y < y_other + gap else y
        placed.append((x, y))
        side = -1 if x > 0.6 else 1
        offset = (9 * side, (y - row.mean) / (high - low) * 200)
        style: Any = {"ha": "right" if side < 0 else "left", "va": "center", "color": INK, "in_layout": False}
        point = (price, row.mean)
        axes.annotate(
            row.mark.short, point, offset, textcoords="offset points", gid=row.mark.gid("name"), **style
        )
