"""Which differences between methods are real: paired by seed, corrected for resampling and for many pairs."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

from ...engine.errors import UsageError
from .model import MethodScore, Pair, Verdict
from .wording import is_share, verdict_sentence

Array = NDArray[np.float64]
LEVEL = 0.95

RESAMPLED = "corrected resampled t test (Nadeau and Bengio), paired by seed"
BOOTSTRAP = "bootstrap over seeds and test samples, paired, corrected for few seeds (Banerjee)"
SEEDS_ONLY = "t test, paired by seed"
NO_TEST = "no test"
COVERS = {
    RESAMPLED: "a new split of data like these and a new random start; the splits share samples, "
    "which the test corrects for",
    BOOTSTRAP: "a new random start and new test samples like these; the training samples stay as they are",
    SEEDS_ONLY: "a new random start; the training and the test samples stay as they are",
    NO_TEST: "nothing: at least two seeds are needed to see how much chance there is",
}


class Estimate(NamedTuple):
    """A mean with its interval, and how probable one so far from zero would be by chance alone."""

    mean: float
    low: float
    high: float
    p: float


def corrected_resampled_t(differences: ArrayLike, test_share: float, *, resolution: float = 0.0) -> Estimate:
    """Mean difference over k redrawn splits, tested as Nadeau and Bengio (2003) correct it.

    The splits share samples, so the plain variance s^2 / k is too small: here it is s^2 (1/k + test_share),
    where `test_share` = n_test / n_train, with k - 1 degrees of freedom. With `test_share` 0 this is the
    plain paired t test. `resolution` replaces s where the differences do not vary at all (see `compare_all`).
    """
    d = np.asarray(differences, dtype=float)
    if len(d) < 2:
        return Estimate(float(d.mean()) if len(d) else math.nan, math.nan, math.nan, math.nan)
    spread = _at_least(float(d.std(ddof=1)), resolution, d)
    return _student(float(d.mean()), spread * math.sqrt(1 / len(d) + test_share), len(d) - 1)


def paired_bootstrap(differences: ArrayLike, *, resolution: float = 0.0) -> Estimate:
    """Mean of per-sample differences (seeds, samples), as if seeds and test samples were drawn again.

    Drawing rows and columns with replacement gives a mean whose variance has a closed form (Owen, 2007), so
    nothing is drawn. Its percentiles are too narrow for a handful of seeds: with 5, up to 15 % of equal
    methods would seem to differ instead of 5 %. Hence the small-sample form. Let a be the variance of the k
    seed means over k, b that of the n sample means over n, and e that of what is left over k n, which both
    contain. The interval at level 1 - alpha is mean -+ h with Student's quantiles t,

        h^2 = max(t(k - 1)^2 a + t(n - 1)^2 max(b - e, 0), t(n - 1)^2 b)

    Banerjee's (1960) combination, which keeps its promise however chance is shared between seeds and samples.
    """
    d = np.asarray(differences, dtype=float)
    if d.ndim != 2:
        raise ValueError(f"differences need the shape (seeds, samples), not {d.shape}")
    seeds, samples = d.shape
    mean = float(d.mean())
    if seeds < 2 or samples < 2:
        return Estimate(mean, math.nan, math.nan, math.nan)
    by_seed, by_sample = d.mean(1), d.mean(0)
    rest = d - by_seed[:, None] - by_sample[None, :] + mean
    a = float(by_seed.var(ddof=1)) / seeds
    b = float(by_sample.var(ddof=1)) / samples
    e = float((rest**2).sum()) / ((seeds - 1) * (samples - 1) * seeds * samples)
    if _vanishes(math.sqrt(max(a, b)), d):
        return _student(mean, resolution / math.sqrt(seeds) if mean else 0.0, seeds - 1)

    def half(p: float) -> float:
        t_seeds, t_samples = special.stdtrit([seeds - 1, samples - 1], p / 2)
        return math.sqrt(max(t_seeds**2 * a + t_samples**2 * max(b - e, 0.0), t_samples**2 * b))

    wide = half(1 - LEVEL)
    return Estimate(mean, mean - wide, mean + wide, _root(lambda p: half(p) - abs(mean)))


def holm(p: ArrayLike) -> Array:
    """Holm's adjusted p values: the i-th smallest of m times m - i + 1, never falling, at most 1.

    NaN stays and is not counted.
    """
    values = np.asarray(p, dtype=float)
    adjusted = np.full(values.shape, math.nan)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1.0)
    return adjusted


def compare_all(
    scores: Mapping[str, Sequence[float]],
    *,
    n_train: int,
    n_test: int,
    redrawn: bool,
    per_sample: Mapping[str, ArrayLike] | None = None,
    higher_is_better: bool = True,
    metric: str = "score",
    baselines: Collection[str] = (),
    failures: Mapping[str, str] | None = None,
) -> Verdict:
    """The verdict over methods: one score per seed each, in the same order of seeds; NaN where a run failed.

    `redrawn`: each seed drew its own split. Otherwise the test set is fixed, and `per_sample` gives each
    method's scores as (seeds, samples), failed seeds as rows of NaN; without it only the seeds are tested.
    Methods are compared with each other and with each baseline; Holm corrects the two questions ("which is
    best?", "does it beat a baseline?") each for its own number of pairs. Scores that differ by exactly the
    same amount in every seed are taken to vary by one test sample: small tables have such coarse scores.
    `failures` says why methods failed, for the sentence.
    """
    seeds = _checked(scores, per_sample, redrawn)
    values = {name: np.asarray(row, dtype=float) for name, row in scores.items()}
    test = _choice(seeds, redrawn, per_sample)
    largest = max(
        (float(np.nanmax(np.abs(row))) for row in values.values() if np.isfinite(row).any()), default=0
    )
    judge = _Judge(
        test, n_test / max(n_train, 1), largest / max(n_test, 1), values, per_sample or {}, is_share(metric)
    )
    sign = -1.0 if higher_is_better else 1.0
    methods = sorted(
        (
            replace(judge.score(name, name in baselines), reason=(failures or {}).get(name, ""))
            for name in values
        ),
        key=lambda m: (math.isnan(m.mean), sign * m.mean if not math.isnan(m.mean) else 0.0),
    )
    ranked = [m.name for m in methods if m.seeds and not m.baseline]
    drawn = [m.name for m in methods if m.seeds and m.baseline]
    among = judge.pairs(list(combinations(ranked, 2)))
    pairs = among + judge.pairs([(name, other) for name in ranked for other in drawn])
    best = ranked[0] if ranked else None
    clear = len(ranked) > 1 and all(p.real for p in among if p.first == best)
    verdict = Verdict(
        metric, higher_is_better, tuple(methods), tuple(pairs), best, clear, test, COVERS[test], ""
    )
    return Verdict(**{**vars(verdict), "sentence": verdict_sentence(verdict)})


@dataclass(frozen=True)
class _Judge:
    """One test, applied to methods and to pairs of them."""

    test: str
    test_share: float
    resolution: float  # one test sample's worth of score
    scores: Mapping[str, Array]
    per_sample: Mapping[str, ArrayLike]
    share: bool  # a score between 0 and 1: its interval cannot reach further

    def estimate(self, values: Array, samples: Array | None) -> Estimate:
        if self.test == BOOTSTRAP and samples is not None:
            return paired_bootstrap(samples, resolution=self.resolution)
        share = self.test_share if self.test == RESAMPLED else 0.0
        return corrected_resampled_t(values, share, resolution=self.resolution)

    def samples(self, name: str, kept: NDArray[np.bool_]) -> Array | None:
        return np.asarray(self.per_sample[name], dtype=float)[kept] if self.test == BOOTSTRAP else None

    def score(self, name: str, baseline: bool) -> MethodScore:
        values = self.scores[name]
        kept = np.isfinite(values)
        found = self.estimate(values[kept], self.samples(name, kept))
        count = int(kept.sum())
        mean = float(values[kept].mean()) if count else math.nan
        low, high = (max(found.low, 0.0), min(found.high, 1.0)) if self.share else (found.low, found.high)
        return MethodScore(name, mean, low, high, count, len(values) - count, baseline)

    def pairs(self, names: Sequence[tuple[str, str]]) -> list[Pair]:
        """The pairs of one question, with Holm's correction over them."""
        found = [self.difference(a, b) for a, b in names]
        adjusted = holm([estimate.p for estimate, _ in found])
        return [
            Pair(a, b, *estimate, float(p), bool(p < 1 - LEVEL), count)
            for (a, b), (estimate, count), p in zip(names, found, adjusted, strict=True)
        ]

    def difference(self, first: str, second: str) -> tuple[Estimate, int]:
        a, b = self.scores[first], self.scores[second]
        kept = np.isfinite(a) & np.isfinite(b)
        left, right = self.samples(first, kept), self.samples(second, kept)
        samples = None if left is None or right is None else left - right
        return self.estimate(a[kept] - b[kept], samples), int(kept.sum())


def _student(mean: float, error: float, freedom: float) -> Estimate:
    if mean == 0 and error == 0:
        return Estimate(0.0, 0.0, 0.0, 1.0)
    if not error > 0:
        return Estimate(mean, math.nan, math.nan, math.nan)
    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * error
    return Estimate(mean, mean - half, mean + half, float(2 * stats.t.sf(abs(mean) / error, freedom)))


def _root(surplus: Callable[[float], float]) -> float:
    """The p at which an interval just reaches zero; 1e-12 stands for all that is smaller."""
    if surplus(1.0) >= 0:
        return 1.0
    return float(optimize.brentq(surplus, 1e-12, 1.0)) if surplus(1e-12) > 0 else 1e-12


def _vanishes(spread: float, values: Array) -> bool:
    return spread <= 1e-12 * float(np.abs(values).max(initial=0.0))


def _at_least(spread: float, resolution: float, values: Array) -> float:
    """The spread itself, unless it is rounding noise around values that do not vary."""
    if not _vanishes(spread, values):
        return spread
    return resolution if np.abs(values).max() > 0 else 0.0


def _choice(seeds: int, redrawn: bool, per_sample: Mapping[str, ArrayLike] | None) -> str:
    if seeds < 2:
        return NO_TEST
    if redrawn:
        return RESAMPLED
    return SEEDS_ONLY if per_sample is None else BOOTSTRAP


def _checked(
    scores: Mapping[str, Sequence[float]], per_sample: Mapping[str, Any] | None, redrawn: bool
) -> int:
    """The number of seeds, the same for all methods."""
    if not scores:
        raise UsageError("nothing to compare: give the scores of at least one method")
    counts = {name: len(row) for name, row in scores.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} has {count}" for name, count in counts.items())
        raise UsageError(f"differences are paired by seed, so every method needs the same seeds: {told}")
    if per_sample is not None and not redrawn:
        for name, count in counts.items():
            shape = np.shape(per_sample[name]) if name in per_sample else None
            if shape is None or len(shape) != 2 or shape[0] != count:
                raise UsageError(
                    f"per-sample scores of {name} need the shape ({count}, samples), not {shape}"
                )
    return next(iter(counts.values()))
