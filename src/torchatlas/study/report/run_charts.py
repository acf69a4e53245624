"""The figures of one run: predictions against the truth, residuals, several losses."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .plots import Floats, alone, titled
from .svg import MUTED, WIDTH, Chart, drawing, series_colour


def thinned(predicted: Floats, most: int) -> Floats:
    """Finite rows, at most so many, taken evenly."""
    kept = predicted[np.isfinite(predicted).all(1)]
    return (
        kept[np.unique(np.linspace(0, len(kept) - 1, min(len(kept), most)).astype(int))]
        if len(kept)
        else kept
    )


def truth(predicted: Floats, colour: int = 0, name: str = "truth") -> Chart:
    """Predicted against true values (n, 2), with the line on which both are equal."""
    with drawing():
        figure = Figure((WIDTH, 3.9), layout="constrained")
        axes = figure.subplots()
        ends = [float(predicted.min()), float(predicted.max())]
        axes.plot(ends, ends, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        style: Any = {"markersize": 3.6, "alpha": 0.5, "markeredgewidth": 0}
        axes.plot(predicted[:, 0], predicted[:, 1], "o", color=series_colour(colour), **style)
        axes.set_xlabel("truth")
        titled(axes, "prediction")
        return Chart(figure, name, "Predictions against true values")


def residuals(predicted: Floats, colour: int = 0, name: str = "residuals") -> Chart:
    """Residuals (prediction - truth) against the prediction, with their histogram at the side."""
    errors = predicted[:, 1] - predicted[:, 0]
    with drawing():
        figure = Figure((WIDTH, 3.9), layout="constrained")
        axes, side = figure.subplots(1, 2, sharey=True, width_ratios=(4, 1))
        axes.axhline(0, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        style: Any = {"markersize": 3.6, "alpha": 0.5, "markeredgewidth": 0}
        axes.plot(predicted[:, 1], errors, "o", color=series_colour(colour), **style)
        axes.set_xlabel("prediction")
        titled(axes, "prediction − truth")
        side.hist(errors, bins=min(30, max(5, len(errors) // 8)), orientation="horizontal", alpha=0.6,
                  color=series_colour(colour))  # fmt: skip
        side.set_xlabel("samples")
        side.xaxis.set_major_locator(MaxNLocator(2, integer=True))
        titled(side, "")
        return Chart(figure, name, "Residuals against predictions")


def lines(name: str, named: Sequence[tuple[str, Floats, Floats]], x: str, y: str) -> Chart:
    """Curves of one run, each named at its end."""
    with drawing():
        figure = Figure((WIDTH, 3.3), layout="constrained")
        axes = figure.subplots()
        for index, (label, steps, values) in enumerate(named):
            kept = np.isfinite(values)
            style: Any = {"linewidth": 1.7, "marker": alone(steps[kept])}
            axes.plot(steps[kept], values[kept], color=series_colour(index), label=label, **style)
        if len(named) > 1:
            axes.legend(frameon=False, labelcolor="linecolor", handlelength=1.2)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_xlabel(x)
        titled(axes, y)
        return Chart(figure, name, f"{y} by {x}")
