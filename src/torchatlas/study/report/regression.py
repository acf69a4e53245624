"""Predictions against the truth, for runs that predict numbers."""

from collections.abc import Sequence

import numpy as np

from . import parts, run_charts
from .markup import Html, tag
from .model import RunResult


def regression_figures(runs: Sequence[RunResult], index: int, most: int) -> Html | None:
    """Scatter and residuals over all seeds' test samples; None for what is not regression."""
    found = [np.asarray(run.predicted) for run in runs if run.predicted is not None]
    kept = run_charts.thinned(np.concatenate(found), most) if found else np.empty((0, 2))
    if len(kept) < 2:
        return None
    shown = [
        parts.figure(
            run_charts.truth(kept, index, f"truth-{index}"), "Dashed: prediction and truth are equal."
        ),
        parts.figure(
            run_charts.residuals(kept, index, f"residuals-{index}"), "Below zero: predicted too low."
        ),
    ]
    return tag("div", shown, class_="pair")
