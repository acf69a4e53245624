"""The report of a comparison: the verdict first, then everything it rests on."""

import math
from collections.abc import Sequence

import numpy as np

from ..statistics import MethodScore, Pair, corrected_resampled_t
from ..wording import difference_text, is_share, metric_text, p_text, score_text, unit
from . import charts, parts
from .charts import Mark, Row
from .markup import Child, Html, table, tag
from .model import MethodResult, StudyResult
from .regression import regression_figures

COSTS = (
    ("parameters", "parameters", "parameters"),
    ("macs", "multiply-adds", "multiply-adds of one sample"),
    ("seconds", "training time", "training, seconds"),
    ("latency_ms", "latency", "latency of one sample, milliseconds"),
)


def render(study: StudyResult) -> str:
    """The report as one HTML file that is read offline, light and dark."""
    view = View(study)
    body = [_head(study), _table(view), _seeds(view), _learning(view), _costs(view), _mistakes(view), _how(view)]
    return parts.document(study.title, [*body, *parts.closing(study.recipe_yaml, study.command, study.environment)])


class View:
    """A study as its report looks at it: methods with their marks, ranked by the verdict."""

    def __init__(self, study: StudyResult):
        self.study = study
        self.everybody = [*study.methods, *study.baselines]
        self.marks = {m.name: Mark(i, m.label, m.baseline) for i, m in enumerate(self.everybody)}
        self.scores = {m.name: self._score(m) for m in self.everybody}
        best = study.verdict.best
        self.best = next((m for m in study.methods if m.name == best), None)
        sign = -1 if study.higher_is_better else 1
        self.ranked = sorted(self.everybody, key=lambda m: (_rank(self.scores[m.name].mean, sign)))
        self.seeds = sorted({run.seed for m in self.everybody for run in m.runs})

    def _score(self, method: MethodResult) -> MethodScore:
        """The verdict's score, or the plain mean of what was not compared (baselines, mostly)."""
        found = self.study.verdict.method(method.name)
        if found is not None:
            return found
        values = np.array([run.scores.get(self.study.metric, math.nan) for run in method.runs])
        kept = values[np.isfinite(values)]
        mean, low, high, _ = corrected_resampled_t(kept, 0.0)
        return MethodScore(method.name, mean, low, high, len(kept), len(values) - len(kept), method.baseline)

    def values(self, method: MethodResult) -> list[float]:
        """The score of each seed, NaN where it has none."""
        found = {run.seed: run.scores.get(self.study.metric, math.nan) for run in method.runs}
        return [found.get(seed, math.nan) for seed in self.seeds]

    def pair(self, method: MethodResult) -> Pair | None:
        """The method's difference to the best."""
        return self.study.verdict.pair(method.name, self.best.name) if self.best else None

    def row(self, method: MethodResult) -> Row:
        score = self.scores[method.name]
        return Row(self.marks[method.name], self.values(method), score.mean, score.low, score.high)

    def told(self, value: float) -> str:
        return score_text(value, self.study.metric)


def _rank(mean: float, sign: int) -> tuple[bool, float]:
    return math.isnan(mean), 0.0 if math.isnan(mean) else sign * mean


def _head(study: StudyResult) -> Html:
    first, dot, rest = study.verdict.sentence.partition(". ")
    verdict = tag("p", first + ("." if dot else ""), class_="verdict")
    more = tag("p", rest, class_="more") if rest else None
    kicker = tag("p", "torchatlas comparison", f" · {study.created}" if study.created else None, class_="kicker")
    title = [tag("h1", study.title), tag("p", study.question, class_="question")]
    return tag("header", kicker, title, verdict, more, parts.alerts(study.warnings))


def _table(view: View) -> Html:
    study = view.study
    name = metric_text(study.metric)
    better = "higher is better" if study.higher_is_better else "lower is better"
    costs = [(key, label) for key, label, _ in COSTS if any(getattr(m, key) is not None for m in view.everybody)]
    head = ["method", f"{name}, 95 % interval", "difference to the best", *(label for _, label in costs)]
    rows = [
        tag("tr", _cells(view, method, [key for key, _ in costs], head), class_=_row_class(view, method))
        for method in view.ranked
    ]
    top = tag("thead", tag("tr", [tag("th", cell, scope="col") for cell in head]))
    body = tag("div", tag("table", top, tag("tbody", rows), class_="methods"), class_="wide")
    lead = f"Mean {name} on the test part over {_count(len(view.seeds), 'seed')}; {better}. Baselines in grey."
    failed = parts.failures(view.everybody)
    told = [tag("h3", "Failed runs"), failed] if failed else None
    return parts.section("results", "Results", body, told, lead=lead)


def _row_class(view: View, method: MethodResult) -> str:
    place = f"s s{view.marks[method.name].index}"
    best = " best" if method is view.best else ""
    return place + best + (" baseline" if method.baseline else "")


def _cells(view: View, method: MethodResult, costs: Sequence[str], head: Sequence[str]) -> list[Html]:
    mark, score = view.marks[method.name], view.scores[method.name]
    failed = tag("small", f"{score.failed} of {score.failed + score.seeds} runs failed", class_="bad")
    settings = ", ".join(f"{key}={value}" for key, value in method.settings.items())
    label = [_chip(mark), tag("small", settings) if settings else None, failed if score.failed else None]
    found: list[Child] = [_score_cell(view, score), _difference_cell(view, method)]
    found += [_cost_text(key, getattr(method, key)) for key in costs]
    cells = [tag("td", value, data_label=name) for name, value in zip(head[1:], found, strict=True)]
    return [tag("th", label, scope="row"), *cells]


def _chip(mark: Mark) -> Html:
    style = None if mark.baseline else f"--c:var(--c{mark.index % 8})"
    return tag("span", mark.label, class_="chip", style=style, data_series=f"s{mark.index}", tabindex="0")


def _score_cell(view: View, score: MethodScore) -> list[Child]:
    if math.isnan(score.mean):
        return ["–"]
    half = f" ± {view.told(score.high - score.mean)}" if math.isfinite(score.high) else ""
    return [tag("b", view.told(score.mean)), tag("span", half, class_="half")]


def _difference_cell(view: View, method: MethodResult) -> Child:
    if method is view.best:
        return tag("span", "best mean", class_="muted")
    pair = view.pair(method)
    if pair is None or math.isnan(pair.difference):
        return "–"
    metric = view.study.metric
    size = f"{difference_text(pair.difference, metric, signed=True)}{unit(metric, pair.difference)}"
    if math.isnan(pair.p):
        return [size, tag("small", "no test possible")]
    low, high = (difference_text(v, metric, signed=True) for v in (pair.low, pair.high))
    shown = tag("small", f"{low} to {high}, Holm p {p_text(pair.p_holm)}")
    return [size if pair.real else tag("span", size, " – no difference shown", class_="muted"), shown]


def _cost_text(key: str, value: float | None) -> str:
    if value is None:
        return "–"
    if key == "latency_ms":
        return parts.seconds_text(value / 1000)
    if key == "seconds":
        return parts.seconds_text(value)
    return f"{int(value):,}" if value < 1e7 else charts.quantity(value)


def _legend(view: View) -> Html:
    learned = [m for m in view.everybody if any(run.curve for run in m.runs)]
    return tag("p", [_chip(view.marks[m.name]) for m in learned], class_="legend")


def _seeds(view: View) -> Html | None:
    if view.best is None:
        return None
    study, name = view.study, metric_text(view.study.metric)
    dots = charts.seed_dots([view.row(m) for m in view.ranked], name, view.told, view.seeds)
    shown = [parts.figure(dots, "Dots: seeds. Line: mean. Bar: 95 % interval of the mean.")]
    scale = 100 if is_share(study.metric) else 1
    rows = []
    for method in view.ranked:
        pair = view.pair(method)
        if pair and math.isfinite(pair.difference):
            bounds = (scale * value for value in (pair.difference, pair.low, pair.high))
            rows.append(Row(view.marks[method.name], [], *bounds, strong=pair.real))
    if rows:
        axis = f"{name} minus that of {view.best.label}" + (", points" if scale == 100 else "")
        told = "95 % interval of each difference, paired by seed. Hollow: no difference shown."
        bars = charts.difference_bars(rows, axis, lambda value: difference_text(value / scale, study.metric, signed=True))
        shown.append(parts.figure(bars, told))
    return parts.section("seeds", "Seed by seed", tag("div", shown, class_="pair"))


def _learning(view: View) -> Html | None:
    x = "epoch" if all("epoch" in e for m in view.everybody for r in m.runs for e in r.curve) else "step"
    wanted = [(f"valid_{view.study.metric}", f"{metric_text(view.study.metric)} (validation)")]
    if not any(_lines(view, key, x) for key, _ in wanted):
        wanted = [("valid_loss", "loss (validation)")]
    wanted.append(("train_loss", "loss (training)"))
    shown = [
        parts.figure(charts.curves(key.replace("_", "-"), lines, x, label))
        for key, label in wanted
        if (lines := _lines(view, key, x))
    ]
    if not shown:
        return None
    lead = "Mean over the seeds; the band runs from the lowest to the highest seed."
    return parts.section("learning", "Learning", _legend(view), tag("div", shown, class_="pair"), lead=lead)


def _lines(view: View, key: str, x: str) -> list[tuple[Mark, list[tuple[charts.Floats, charts.Floats]]]]:
    found = []
    for method in view.everybody:
        runs = [curve_of(run.curve, key, x) for run in method.runs]
        kept = [(steps, values) for steps, values in runs if np.isfinite(values).any()]
        if kept:
            found.append((view.marks[method.name], kept))
    return found


def curve_of(curve: Sequence[dict[str, float]], key: str, x: str) -> tuple[charts.Floats, charts.Floats]:
    """One score of a curve as (x, y)."""
    entries = [entry for entry in curve if entry.get(key) is not None]
    steps = np.array([entry.get(x, i + 1) for i, entry in enumerate(entries)], dtype=float)
    return steps, np.array([entry[key] for entry in entries], dtype=float)


def _costs(view: View) -> Html | None:
    panels, name = [], metric_text(view.study.metric)
    for key, label, axis in COSTS:
        rows = [
            (view.row(m), float(value))
            for m in view.everybody
            if (value := getattr(m, key)) and math.isfinite(view.scores[m.name].mean)
        ]
        if len(rows) > 1:
            panels.append((label, parts.figure(charts.cost(f"cost-{key}", rows, axis, name), class_="chart broad")))
    if not panels:
        return None
    better = "up" if view.study.higher_is_better else "down"
    lead = f"Further {better} is better, further left is cheaper. Lines are 95 % intervals."
    return parts.section("cost", f"{name[0].upper()}{name[1:]} against cost", parts.tabs(panels, "cost"), lead=lead)


def _mistakes(view: View) -> list[Html | None]:
    data, order = view.study.data, [m for m in view.ranked if m.runs]
    matrices = [(m.label, c) for m in order if (c := parts.confusion(m.runs, data.classes))]
    found: list[Html | None] = []
    if matrices:
        lead = "Test samples of all seeds together."
        found.append(parts.section("confusion", "What is taken for what", parts.tabs(matrices, "method"), lead=lead))
    dots = max(100, 3000 // len(order)) if order else 0
    scatters = [(m.label, c) for m in order if (c := regression_figures(m.runs, view.marks[m.name].index, dots))]
    if scatters:
        found.append(parts.section("predictions", "Predictions and truth", parts.tabs(scatters, "method")))
    most = max(4, min(12, 60 // max(len(order), 1)))
    panels = [(m.label, w) for m in order if (w := parts.worst(_worst(m)[:most], data.task))]
    if panels:
        lead = "The test samples that were most confidently wrong." if data.task != "regression" else None
        found.append(parts.section("worst", "Worst mistakes", parts.tabs(panels, "method"), lead=lead))
    return found


def _worst(method: MethodResult) -> list[parts.Worst]:
    every = [example for run in method.runs for example in run.worst]
    return sorted(every, key=lambda example: -abs(example.confidence))


def _how(view: View) -> Html:
    study, verdict = view.study, view.study.verdict
    tested = [p for p in verdict.pairs if math.isfinite(p.p)]
    holm = "" if len(tested) < 2 else "; Holm's correction over all pairs, those with baselines apart"
    shown = "where its corrected p is below 0.05; an interval speaks for its pair alone."
    told = [
        *parts.data_facts(study.data),
        ("split", study.split),
        ("budget", study.budget),
        ("tuning", study.tuning),
        ("test", f"{verdict.test}{holm}." if tested else f"{verdict.test}."),
        ("the intervals cover", f"{verdict.covers}."),
        ("a difference is shown", shown if tested else None),
    ]
    return parts.section("how", "How this was compared", parts.facts(told), _pairs(view))


def _pairs(view: View) -> Html | None:
    study = view.study
    if len(study.verdict.pairs) < 2:
        return None
    labels = {m.name: m.label for m in view.everybody}
    rows: list[list[Child]] = []
    for p in study.verdict.pairs:
        low, high = (difference_text(v, study.metric, signed=True) for v in (p.low, p.high))
        size = f"{difference_text(p.difference, study.metric, signed=True)}{unit(study.metric, p.difference)}"
        said = "real" if p.real else "no difference shown" if math.isfinite(p.p) else "no test possible"
        names = f"{labels.get(p.first, p.first)} − {labels.get(p.second, p.second)}"
        rows.append([names, size, f"{low} to {high}", p_text(p.p).lstrip("= "), p_text(p.p_holm).lstrip("= "), said])
    head: list[Child] = ["pair", "difference", "95 % interval", "p", "p (Holm)", "verdict"]
    summary = tag("summary", f"all {len(rows)} pairs")
    return tag("details", summary, table(head, rows, class_="plain"), open=len(rows) <= 10)


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
