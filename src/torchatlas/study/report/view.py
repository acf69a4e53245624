"""A comparison as its report looks at it."""

import math
from collections.abc import Sequence

import numpy as np

from ..verdict.model import MethodScore, Pair
from ..verdict.statistics import corrected_resampled_t
from ..verdict.wording import score_text
from .model import MethodResult, StudyResult
from .plots import Floats, Mark, Row


class View:
    """A study as its report looks at it: methods, known by their labels, ranked, each with its mark."""

    def __init__(self, study: StudyResult):
        self.study = study
        self.everybody = [*study.methods, *study.baselines]
        self.marks = {m.label: Mark(i, m.label, m.baseline) for i, m in enumerate(self.everybody)}
        self.scores = {m.label: self._score(m) for m in self.everybody}
        best = study.verdict.best
        self.best = next((m for m in study.methods if m.label == best), None)
        sign = -1 if study.higher_is_better else 1
        self.ranked = sorted(self.everybody, key=lambda m: _rank(self.scores[m.label].mean, sign))
        self.seeds = sorted({run.seed for m in self.everybody for run in m.runs})

    def _score(self, method: MethodResult) -> MethodScore:
        """The verdict's score, or the plain mean of what was not compared (baselines, mostly)."""
        found = self.study.verdict.method(method.label)
        if found is not None:
            return found
        values = np.array([run.scores.get(self.study.metric, math.nan) for run in method.runs])
        kept = values[np.isfinite(values)]
        mean, low, high, _ = corrected_resampled_t(kept, 0.0)
        return MethodScore(method.label, mean, low, high, len(kept), len(values) - len(kept), method.baseline)

    def values(self, method: MethodResult) -> list[float]:
        """The score of each seed, NaN where it has none."""
        found = {run.seed: run.scores.get(self.study.metric, math.nan) for run in method.runs}
        return [found.get(seed, math.nan) for seed in self.seeds]

    def pair(self, method: MethodResult) -> Pair | None:
        """The method's difference to the best."""
        return self.study.verdict.pair(method.label, self.best.label) if self.best else None

    def row(self, method: MethodResult) -> Row:
        score = self.scores[method.label]
        return Row(self.marks[method.label], self.values(method), score.mean, score.low, score.high)

    def told(self, value: float) -> str:
        return score_text(value, self.study.metric)


def _rank(mean: float, sign: int) -> tuple[bool, float]:
    return math.isnan(mean), 0.0 if math.isnan(mean) else sign * mean


def curve_of(curve: Sequence[dict[str, float]], key: str, x: str) -> tuple[Floats, Floats]:
    """One score of a curve as (x, y)."""
    entries = [entry for entry in curve if entry.get(key) is not None]
    steps = np.array([entry.get(x, i + 1) for i, entry in enumerate(entries)], dtype=float)
    return steps, np.array([entry[key] for entry in entries], dtype=float)
