"""Numbers and findings in words: the verdict as one sentence, used by the report and the command line."""

import math
import re

from .model import MethodScore, Pair, Verdict

SHARES = {
    "accuracy",
    "balanced_accuracy",
    "error",
    "error_rate",
    "f1",
    "macro_f1",
    "auc",
    "precision",
    "recall",
}
MINUS = "−"
MANY = 3  # pairs that a sentence can name
ABBREVIATIONS = {
    "rmse": "RMSE",
    "mse": "MSE",
    "mae": "MAE",
    "r2": "R²",
    "auc": "AUC",
    "f1": "F1",
    "elbo": "ELBO",
}


def metric_text(metric: str) -> str:
    """A score's name as read: "balanced_accuracy" is "balanced accuracy", "rmse" is "RMSE"."""
    return " ".join(ABBREVIATIONS.get(word, word) for word in re.split("[_.]", metric))


def is_share(metric: str) -> bool:
    """Whether a score is a share of one, so that differences are told in points (hundredths)."""
    return metric in SHARES


def score_text(value: float, metric: str) -> str:
    """A score as read in a table: three decimals for shares, else four significant digits."""
    if not math.isfinite(value):
        return "–"
    return f"{value:.3f}" if is_share(metric) else plain(value, 4)


def plain(value: float, digits: int = 3) -> str:
    """A number with so many significant digits, no exponent between 1e-4 and 1e7, a true minus sign."""
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    if 1e-4 <= abs(value) < 1e7:
        decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
        text = f"{value:,.{decimals}f}" if abs(value) >= 1e4 else f"{value:.{decimals}f}"
    else:
        text = f"{value:.{digits - 1}e}"
    return text.replace("-", MINUS)


def difference_text(value: float, metric: str, *, signed: bool = False) -> str:
    """A difference of two scores: in points with one decimal for shares, else in the score's own unit."""
    if not math.isfinite(value):
        return "–"
    if not is_share(metric):
        text = plain(value, 3)
    else:
        points = 100 * value + 0.0  # no minus before zero
        text = f"{points:.1f}" if abs(points) >= 0.095 or points == 0 else f"{points:.2f}"
        text = text.replace("-", MINUS)
    return f"+{text}" if signed and value > 0 else text


def p_text(p: float) -> str:
    """A p value with its relation: "= 0.03", "< 0.001"."""
    if not math.isfinite(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"= {p:.3f}" if p < 0.1 else f"= {p:.2f}"


def unit(metric: str, value: float = 2.0) -> str:
    """What follows a difference: " points" for shares."""
    return "" if not is_share(metric) else " point" if abs(100 * value) == 1 else " points"


def verdict_sentence(verdict: Verdict) -> str:
    """The verdict for a reader in a hurry; claims no difference that the test does not show."""
    ranked = [m for m in verdict.methods if not m.baseline]
    alive = [m for m in ranked if not math.isnan(m.mean)]
    failed = [m for m in ranked if math.isnan(m.mean)]
    if not alive:
        return f"No method has a score: every run failed. {_failed([m for m in failed if m.reason])}".rstrip()
    parts = [_leader(verdict, [m.name for m in alive]), _others(verdict), _baseline(verdict)]
    if failed:
        parts.append(_failed(failed))
    return " ".join(part for part in parts if part)


def _failed(failed: list[MethodScore]) -> str:
    """Which methods failed, and why; those that failed alike in one sentence."""
    alike: dict[str, list[str]] = {}
    for method in failed:
        alike.setdefault(method.reason, []).append(method.name)
    return " ".join(
        f"{_list(names)} failed in every run{f': {why}' if why else ''}." for why, names in alike.items()
    )


def _leader(verdict: Verdict, alive: list[str]) -> str:
    best = alive[0]
    found = verdict.method(best)
    assert found is not None
    score = f"{score_text(found.mean, verdict.metric)} {metric_text(verdict.metric)}"
    if len(alive) == 1:
        return f"{best} reaches {score}{_interval(found.low, found.high, verdict.metric)}."
    pairs = [p for p in (verdict.pair(best, other) for other in alive[1:]) if p is not None]
    if all(math.isnan(p.p) for p in pairs):
        why = "one seed" if max(m.seeds for m in verdict.methods) < 2 else "too few runs"
        return f"{best} leads with {score}, but no test is possible with {why}: give more seeds."
    if all(p.difference == 0 for p in pairs):
        return f"No difference shown: {_list(alive)} all have {score}."
    if verdict.clear:
        return f"{best} is best: {score}, {_told(pairs[0], verdict)}."
    tied = [p for p in pairs if not p.real]
    size, bounds = _size(tied[0], verdict), _bounds(tied[0], verdict)
    told = f"{best} leads with {score}, but no difference shown between it and"
    if len(tied) == 1:
        return f"{told} {tied[0].second} ({size}{bounds})."
    names = _list([p.second for p in tied], "or") if len(tied) <= MANY else f"{len(tied)} others"
    return f"{told} {names} (nearest: {size}{bounds})."


def _told(pair: Pair, verdict: Verdict) -> str:
    side = "above" if pair.difference > 0 else "below"
    return f"{_size(pair, verdict)} {side} {pair.second} ({_bounds(pair, verdict).removeprefix(', ')})"


def _size(pair: Pair, verdict: Verdict) -> str:
    return difference_text(abs(pair.difference), verdict.metric) + unit(verdict.metric, pair.difference)


def _bounds(pair: Pair, verdict: Verdict) -> str:
    if math.isnan(pair.low):
        return ""
    ends = (pair.low, pair.high) if pair.difference >= 0 else (-pair.high, -pair.low)
    low, high = (difference_text(end, verdict.metric) for end in ends)
    return f", 95 % interval {low} to {high}"


def _interval(low: float, high: float, metric: str) -> str:
    if math.isnan(low):
        return ""
    return f" (95 % interval {score_text(low, metric)} to {score_text(high, metric)})"


def _others(verdict: Verdict) -> str:
    """What the remaining pairs show: names the undecided ones where they are few."""
    baselines = {m.name for m in verdict.methods if m.baseline}
    rest = [p for p in verdict.pairs if verdict.best != p.first and p.second not in baselines]
    open_pairs = [p for p in rest if not p.real and not math.isnan(p.p)]
    if not open_pairs or (not verdict.clear and all(p.difference == 0 for p in rest)):
        return ""
    if len(open_pairs) <= MANY:
        told = [f"between {p.first} and {p.second}" for p in open_pairs]
        return f"No difference shown {_list(told)}."
    if len(open_pairs) == len(rest):
        return f"No difference shown in any of the other {len(rest)} pairs."
    return f"No difference shown in {len(open_pairs)} of the other {len(rest)} pairs."


def _baseline(verdict: Verdict) -> str:
    """Says which methods were not shown to beat which baseline; silent where all did."""
    sign = 1 if verdict.higher_is_better else -1
    said = []
    for baseline in (m.name for m in verdict.methods if m.baseline):
        against = [p for p in verdict.pairs if p.second == baseline and not math.isnan(p.p)]
        weak = [p.first for p in against if not (p.real and sign * p.difference > 0)]
        if weak:
            who = "No method is" if len(weak) == len(against) > 1 else f"{_list(weak)} {_are(weak)} not"
            said.append(f"{who} shown to beat the baseline {baseline}.")
    return " ".join(said)


def _are(words: list[str]) -> str:
    return "is" if len(words) == 1 else "are"


def _list(words: list[str], last: str = "and") -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"
