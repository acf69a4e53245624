"""The report of a comparison: the verdict first, then everything it rests on."""

import math
from collections.abc import Sequence

from ..verdict.model import MethodScore
from ..verdict.wording import difference_text, metric_text, p_text, unit
from . import charts, parts
from .charts import COSTS
from .markup import Child, Html, table, tag
from .model import MethodResult, StudyResult, Worst
from .plots import Mark, quantity
from .regression import regression_figures
from .returns import returns_section
from .sizes import sizes_section
from .svg import VARIABLES
from .view import View

SAMPLES = 32  # that are shown of each generative method
DOTS, EXAMPLES = 3000, 60  # shared by all methods: the page stays small


def render(study: StudyResult) -> str:
    """The report as one HTML file that is read offline, light and dark."""
    view = View(study)
    body = [
        _head(study),
        _table(view),
        _samples(view),
        returns_section([(view.marks[m.label], m.runs) for m in view.ranked]),
        sizes_section([(view.marks[m.label], m.runs) for m in view.ranked], study.data),
        _seeds(view),
        _learning(view),
        _costs(view),
        _mistakes(view),
        _how(view),
    ]
    return parts.document(
        study.title,
        [
            *body,
            *parts.closing(study.recipe_yaml, study.command, study.environment, study.unrepeatable),
        ],
    )


def _head(study: StudyResult) -> Html:
    first, dot, rest = study.verdict.sentence.replace(" %", "\N{NO-BREAK SPACE}%").partition(". ")
    verdict = tag("p", first + ("." if dot else ""), class_="verdict")
    more = tag("p", rest, class_="more") if rest else None
    kicker = tag("p", "torchatlas comparison", parts.day(study.created), class_="kicker")
    title = [tag("h1", study.title), tag("p", study.question, class_="question")]
    return tag("header", kicker, title, verdict, more, parts.alerts(study.warnings))


def _table(view: View) -> Html:
    study = view.study
    name = metric_text(study.metric)
    better = "higher is better" if study.higher_is_better else "lower is better"
    costs = [
        (key, label) for key, label, _ in COSTS if any(getattr(m, key) is not None for m in view.everybody)
    ]
    head = ["method", f"{name}, 95 % interval", "difference to the best", *(label for _, label in costs)]
    rows = [
        tag("tr", _cells(view, method, [key for key, _ in costs], head), class_=_row_class(view, method))
        for method in view.ranked
    ]
    top = tag("thead", tag("tr", [tag("th", cell, scope="col") for cell in head]))
    body = tag("div", tag("table", top, tag("tbody", rows), class_="methods cards"), class_="wide")
    lead = (
        f"Mean {name} on the test part over {_count(len(view.seeds), 'seed')}; {better}. Baselines in grey."
    )
    failed = parts.failures(view.everybody)
    told = [tag("h3", "Failed runs"), failed] if failed else None
    return parts.section("results", "Results", body, told, lead=lead)


def _row_class(view: View, method: MethodResult) -> str:
    place = f"s s{view.marks[method.label].index}"
    best = " best" if method is view.best else ""
    return place + best + (" baseline" if method.baseline else "")


def _cells(view: View, method: MethodResult, costs: Sequence[str], head: Sequence[str]) -> list[Html]:
    mark, score = view.marks[method.label], view.scores[method.label]
    failed = tag("small", f"{score.failed} of {score.failed + score.seeds} runs failed", class_="bad")
    settings = ", ".join(f"{key}={_setting(value)}" for key, value in method.settings.items())
    label = [_chip(mark), tag("small", settings) if settings else None, failed if score.failed else None]
    found: list[Child] = [_score_cell(view, score), _difference_cell(view, method)]
    found += [_cost_text(key, getattr(method, key)) for key in costs]
    labels = [metric_text(view.study.metric), *head[2:]]  # shown beside the value on narrow screens
    cells = [
        tag("td", value, data_label=name, class_="none" if value == "–" else None)
        for name, value in zip(labels, found, strict=True)
    ]
    return [tag("th", label, scope="row"), *cells]


def _setting(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return str(tuple(value)) if isinstance(value, list) else str(value)


def _chip(mark: Mark) -> Html:
    style = None if mark.baseline else f"--c:var({VARIABLES[mark.colour]})"
    return tag("span", mark.label, class_="chip", style=style, data_series=f"s{mark.index}", tabindex="0")


def _score_cell(view: View, score: MethodScore) -> Child:
    if math.isnan(score.mean):
        return "–"
    mean = view.told(score.mean)
    decimals = len(mean.partition(".")[2])
    half = f" ± {score.high - score.mean:.{decimals}f}" if math.isfinite(score.high) else ""
    return tag("span", tag("b", mean), tag("span", half, class_="half"))


def _difference_cell(view: View, method: MethodResult) -> Child:
    if method is view.best:
        return tag("span", "best mean", class_="muted")
    pair = view.pair(method)
    if pair is None or math.isnan(pair.difference):
        return "–"
    metric = view.study.metric
    size = f"{difference_text(pair.difference, metric, signed=True)}{unit(metric, pair.difference)}"
    if math.isnan(pair.p):
        return tag("span", size, tag("small", "no test possible"))
    low, high = (difference_text(v, metric, signed=True) for v in (pair.low, pair.high))
    shown = tag("small", f"{low} to {high}, Holm p {p_text(pair.p_holm)}")
    return tag(
        "span",
        size if pair.real else f"{size}, no difference shown",
        shown,
        class_=None if pair.real else "muted",
    )


def _cost_text(key: str, value: float | None) -> str:
    if value is None:
        return "–"
    if key == "latency_ms":
        return parts.seconds_text(value / 1000)
    if key == "seconds":
        return parts.seconds_text(value)
    return f"{int(value):,}" if value < 1e7 else quantity(value)


def _legend(view: View) -> Html:
    learned = [m for m in view.everybody if any(run.curve and not run.error for run in m.runs)]
    return tag("p", [_chip(view.marks[m.label]) for m in learned], class_="legend")


def _seeds(view: View) -> Html | None:
    dots, bars = charts.seeds(view), charts.differences(view)
    if dots is None:
        return None
    shown = [parts.figure(dots, "Dots: seeds. Line: mean. Bar: 95 % interval of the mean.")]
    if bars:
        told = "95 % interval of each difference, paired by seed. Hollow: no difference shown."
        shown.append(parts.figure(bars, told))
    return parts.section("seeds", "Seed by seed", tag("div", shown, class_="pair"))


def _learning(view: View) -> Html | None:
    shown = [parts.figure(chart) for chart in charts.learning(view)]
    if not shown:
        return None
    lead = "Mean over the seeds; the band runs from the lowest to the highest seed."
    return parts.section("learning", "Learning", _legend(view), tag("div", shown, class_="pair"), lead=lead)


def _costs(view: View) -> Html | None:
    panels = [(label, parts.figure(chart, class_="chart broad")) for label, chart in charts.costs(view)]
    if not panels:
        return None
    name = metric_text(view.study.metric)
    better = "up" if view.study.higher_is_better else "down"
    lead = f"Further {better} is better, further left is cheaper. Lines are 95 % intervals."
    title = f"{name[0].upper()}{name[1:]} against cost"
    return parts.section("cost", title, parts.tabs(panels, "cost"), lead=lead)


def _samples(view: View) -> Html | None:
    drawn = [(m.label, [image for run in m.runs for image in run.samples]) for m in view.ranked]
    panels = [(label, parts.samples_grid(images[:SAMPLES])) for label, images in drawn if images]
    lead = "Drawn by the trained models."
    return parts.section("samples", "Samples", parts.tabs(panels, "method"), lead=lead) if panels else None


def _mistakes(view: View) -> list[Html | None]:
    data, order = view.study.data, [m for m in view.ranked if m.runs]
    matrices = [(m.label, c) for m in order if (c := parts.confusion(m.runs, data.classes))]
    found: list[Html | None] = []
    if matrices:
        lead = "Test samples of all seeds together."
        shown = parts.tabs(matrices, "method")
        found.append(parts.section("confusion", "What is taken for what", shown, lead=lead))
    scatters = [(m.label, c) for m in order if (c := _scatter(view, m, DOTS // len(order)))]
    if scatters:
        found.append(parts.section("predictions", "Predictions and truth", parts.tabs(scatters, "method")))
    most = max(4, EXAMPLES // max(len(order), 1))
    panels = [(m.label, w) for m in order if (w := parts.worst(_worst(m)[:most], data.task))]
    if panels:
        wrong = "largest errors" if data.task == "regression" else "surest wrong answers"
        lead = f"The {wrong} on the test part, over all seeds."
        found.append(parts.section("worst", "Worst mistakes", parts.tabs(panels, "method"), lead=lead))
    return found


def _scatter(view: View, method: MethodResult, most: int) -> Html | None:
    return regression_figures(method.runs, view.marks[method.label].index, max(most, 100))


def _worst(method: MethodResult) -> list[Worst]:
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
    rows: list[list[Child]] = []
    for p in study.verdict.pairs:
        low, high = (difference_text(v, study.metric, signed=True) for v in (p.low, p.high))
        size = f"{difference_text(p.difference, study.metric, signed=True)}{unit(study.metric, p.difference)}"
        said = "difference shown" if p.real else "no difference shown"
        said = said if math.isfinite(p.p) else "no test possible"
        names = f"{p.first} − {p.second}"
        rows.append(
            [names, size, f"{low} to {high}", p_text(p.p).lstrip("= "), p_text(p.p_holm).lstrip("= "), said]
        )
    head: list[Child] = ["pair", "difference", "95 % interval", "p", "p (Holm)", "verdict"]
    summary = tag("summary", f"all {len(rows)} pairs")
    return tag("details", summary, table(head, rows, class_="plain cards"), open=len(rows) <= 10)


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
