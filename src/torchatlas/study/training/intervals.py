"""Scores on new data with 95 % intervals over its samples."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...data.spec import Spec
from .scores import SCORES

Array = np.ndarray[Any, Any]
DRAWS, FEW, LEVEL = 1000, 300, 0.95  # FEW where each draw calls a score that takes a millisecond


class Estimate(float):
    """A score as a number, with the interval [low, high] in which it lies for other samples of this kind.

    The interval is the percentile bootstrap's over samples; it does not cover training with another seed.
    """

    low: float
    high: float

    def __new__(cls, value: float, low: float, high: float) -> "Estimate":
        made = super().__new__(cls, value)
        made.low, made.high = low, high
        return made

    def __repr__(self) -> str:
        return f"{float(self):.4g} ({self.low:.4g} to {self.high:.4g})"

    def as_json(self) -> dict[str, float]:
        """Plain values."""
        return {"value": float(self), "low": self.low, "high": self.high}


def estimates(spec: Spec, y: Array, p: Array) -> dict[str, Estimate]:
    """Every score of the task; y and p as `score_all` takes them."""
    found = {}
    for name, score in SCORES[spec.task].items():
        if score.sample is not None:
            found[name] = _of_mean(score.sample(y, p), score.function(y, p))
        else:
            found[name] = _of(score.function, y, p)
    return found


def estimates_of(samples: Mapping[str, Array]) -> dict[str, Estimate]:
    """The means of scores that are given for each sample."""
    return {name: _of_mean(values, float(values.mean())) for name, values in samples.items()}


def _of_mean(values: Array, whole: float) -> Estimate:
    counts = np.random.default_rng(0).multinomial(len(values), np.full(len(values), 1 / len(values)), DRAWS)
    return _between(whole, counts @ values / len(values))


def _of(score: Callable[[Array, Array], float], y: Array, p: Array) -> Estimate:
    rows = np.random.default_rng(0).integers(0, len(y), (FEW, len(y)))
    with np.errstate(all="ignore"):
        drawn = [score(y[drawn], p[drawn]) for drawn in rows]
    return _between(score(y, p), np.array(drawn))


def _between(whole: float, drawn: Array) -> Estimate:
    tail = (1 - LEVEL) / 2
    drawn = drawn[np.isfinite(drawn)]
    low, high = np.quantile(drawn, [tail, 1 - tail]) if len(drawn) else (np.nan, np.nan)
    return Estimate(whole, float(low), float(high))
