"""Sections that a comparison and a single run share."""

import math
from collections.abc import Sequence
from datetime import datetime
from importlib.resources import files
from string import Template
from typing import Any

import numpy as np

from ..verdict.wording import plain
from .markup import Child, Html, join, picture, table, tag
from .model import DataSummary, MethodResult, RunResult, Worst
from .svg import Chart, inline

CELLS = 20  # classes whose confusion matrix can be read as numbers
SHOWN = 12  # worst examples
TEXTS = 4  # samples of a language model
CONFUSED = 15  # pairs of classes listed where there are more classes
BESIDE = 7  # pairs listed beside a matrix
LINES = 40  # of a recipe that is shown at once


def document(title: str, body: Child) -> str:
    """The whole page: style and script are in it, nothing is fetched."""
    folder = files(__package__)
    page = Template((folder / "page.html").read_text("utf-8"))
    style = (folder / "style.css").read_text("utf-8")
    return page.substitute(title=join(title), style=style, body=join(body))


def section(name: str, title: str, *children: Child, lead: Child = None) -> Html:
    """A part of the page with its heading; `lead` says in a sentence how to read it."""
    intro = tag("p", lead, class_="lead") if lead else None
    return tag("section", tag("h2", title), intro, children, id=name)


def figure(chart: Chart, caption: Child = None, **given: Any) -> Html:
    """A chart with what it shows in words."""
    told = tag("figcaption", caption) if caption else None
    return tag("figure", inline(chart), told, **{"class_": "chart", **given})


def facts(pairs: Sequence[tuple[str, Child]]) -> Html:
    """Names and what is to be said of them; empty ones are left out."""
    return tag("dl", [[tag("dt", name), tag("dd", value)] for name, value in pairs if value])


def tabs(panels: Sequence[tuple[str, Html]], label: str) -> Html:
    """Panels of which one is seen at a time; a single one needs no tabs."""
    if len(panels) == 1:
        return panels[0][1]
    buttons = [
        tag("button", name, type="button", role="tab", aria_selected="false" if i else "true")
        for i, (name, _) in enumerate(panels)
    ]
    bodies = [tag("div", body, role="tabpanel", hidden=bool(i)) for i, (_, body) in enumerate(panels)]
    return tag("div", tag("div", buttons, role="tablist", aria_label=label), bodies, class_="tabs")


def alerts(warnings: Sequence[str]) -> Html | None:
    """What the reader must know before believing the numbers."""
    return tag("ul", [tag("li", text) for text in warnings], class_="alerts") if warnings else None


def shape_text(data: DataSummary) -> str:
    """One input in words: "images of 1×8×8", "tables of 13 columns"."""
    match data.modality:
        case "image":
            return f"images of {'×'.join(map(str, data.shape))}"
        case "text":
            return f"a text of {len(data.classes) - 1} different characters"
        case "environment":
            return f"an environment of {len(data.classes)} actions"
    return f"rows of {math.prod(data.shape)} {'features' if math.prod(data.shape) != 1 else 'feature'}"


def data_facts(data: DataSummary) -> list[tuple[str, Child]]:
    """The data as facts."""
    task = "" if data.task == "none" else f", {data.task}"
    parts = [("training", data.n_train), ("validation", data.n_valid), ("test", data.n_test)]
    sizes = ", ".join(f"{count:,} {name}" for name, count in parts if count)
    return [
        ("data", f"{data.name}: {shape_text(data)}{task}"),
        ("samples", sizes),
        ("classes", class_counts(data)),
        ("notes", tag("ul", [tag("li", note) for note in data.notes]) if data.notes else None),
    ]


def class_counts(data: DataSummary) -> Html | None:
    """Classes with their samples, as bars; the smallest and largest where there are many."""
    if data.modality == "text":
        return None
    if not data.counts or data.task != "classification":
        return tag("span", f"{len(data.classes)}: {', '.join(data.classes[:20])}") if data.classes else None
    if len(data.counts) > CELLS:
        least, most = min(data.counts), max(data.counts)
        return tag("span", f"{len(data.counts)}, with {least:,} to {most:,} samples each")
    top = max(max(data.counts), 1)
    bars = [
        tag("li", tag("b", name), tag("i", style=f"--v:{count / top:.3f}"), tag("span", f"{count:,}"))
        for name, count in zip(data.classes, data.counts, strict=False)
    ]
    return tag("ul", bars, class_="bars")


def confusion(runs: Sequence[RunResult], classes: Sequence[str]) -> Html | None:
    """The runs' confusion matrices, summed; with many classes the pairs most often confused."""
    found = [np.asarray(run.confusion) for run in runs if run.confusion is not None]
    if not found:
        return None
    total = np.sum(found, axis=0)
    names = list(classes) if len(classes) == len(total) else [str(i) for i in range(len(total))]
    return _matrix(total, names) if len(total) <= CELLS else _confused(total, names, CONFUSED)


def worst(examples: Sequence[Worst], task: str) -> Html | None:
    """The most wrong test samples: as pictures, or as rows of a table."""
    shown = list(examples)[:SHOWN]
    if not shown:
        return None
    if all(example.image is not None for example in shown):
        return tag("div", [_example(example, task) for example in shown], class_="examples")
    columns = list(dict.fromkeys(name for example in shown for name in (example.cells or {})))[:8]
    sure = "error" if task == "regression" else "confidence"
    rows: list[list[Child]] = [
        [
            e.truth,
            tag("span", e.prediction, class_="bad"),
            _sure(e, task),
            *((e.cells or {}).get(c, "") for c in columns),
        ]
        for e in shown
    ]
    return table(["truth", "prediction", sure, *columns], rows, class_="plain")


def samples_grid(images: Sequence[Any]) -> Html:
    """What a generative model draws: pictures, or texts."""
    if images and isinstance(images[0], str):
        return tag("div", [tag("pre", text) for text in images[:TEXTS]], class_="texts")
    return tag("div", [picture(image, f"sample {i + 1}") for i, image in enumerate(images)], class_="samples")


def failures(methods: Sequence[MethodResult]) -> Html | None:
    """The failed runs with their reasons; seeds that failed alike share a row."""
    seeds: dict[tuple[str, str], list[str]] = {}
    for method in methods:
        for run in method.runs:
            if run.error:
                seeds.setdefault((method.label, run.error), []).append(str(run.seed))
    rows: list[list[Child]] = [
        [label, ", ".join(numbers), tag("span", why, class_="bad")] for (label, why), numbers in seeds.items()
    ]
    return table(["method", "seeds", "why it failed"], rows, class_="plain") if rows else None


def closing(recipe: str, command: str, environment: dict[str, Any], unrepeatable: str = "") -> list[Html]:
    """Recipe, environment and how to repeat."""
    found = []
    if command:
        again = "This command gives the same numbers on the same machine and versions."
        found.append(section("repeat", "How to repeat", tag("pre", command, class_="command"), lead=again))
    elif unrepeatable:
        found.append(section("repeat", "How to repeat", lead=f"No command repeats this: {unrepeatable}."))
    if recipe:
        told = tag("summary", "every setting")
        short = recipe.count("\n") <= LINES
        found.append(section("recipe", "Recipe", tag("details", told, tag("pre", recipe), open=short)))
    if environment:
        told = facts([(str(key), _plain(value)) for key, value in environment.items() if value])
        found.append(section("environment", "Environment", told))
    return found


def day(created: str | None) -> str | None:
    """When it was made: an ISO time in short, anything else as it is."""
    try:
        return datetime.fromisoformat(created).strftime(" · %Y-%m-%d %H:%M %Z").rstrip() if created else None
    except ValueError:
        return f" · {created}"


def seconds_text(value: float | None) -> str:
    """A time as people say it."""
    if value is None or not math.isfinite(value):
        return "–"
    if value < 0.1:
        return f"{plain(1000 * value, 2)} ms"
    if value < 120:
        return f"{plain(value, 2 if value < 10 else 3)} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def _plain(value: Any) -> str:
    return ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)


def _matrix(total: Any, names: Sequence[str]) -> Html:
    shares = total / np.maximum(total.sum(1, keepdims=True), 1)
    head = tag("tr", tag("td"), [tag("th", name, scope="col") for name in names])
    rows = [
        tag(
            "tr",
            tag("th", name, scope="row"),
            [_count(total[i, j], shares[i, j], i == j) for j in range(len(names))],
        )
        for i, name in enumerate(names)
    ]
    told = tag("caption", "rows: truth, columns: prediction; shades are shares of the row")
    whole = tag("table", told, tag("thead", head), tag("tbody", rows), class_="confusion")
    return tag("div", tag("div", whole, class_="wide"), _confused(total, names, BESIDE), class_="beside")


def _count(count: int, share: float, right: bool) -> Html:
    kind = "right" if right else "wrong" if count else None
    deep = " deep" if share > 0.5 else ""
    style = f"--v:{share if right else min(1.0, 0.12 + 4 * share):.3f}" if count else None
    return tag("td", f"{count:,}" if count else "", class_=f"{kind}{deep}" if kind else None, style=style)


def _confused(total: Any, names: Sequence[str], most: int) -> Html:
    """The pairs of classes most often confused."""
    off = total - np.diag(np.diag(total))
    order = np.argsort(off, axis=None)[::-1][:most]
    rows: list[list[Child]] = []
    for i, j in (np.unravel_index(flat, off.shape) for flat in order):
        if off[i, j]:
            share = off[i, j] / max(total[i].sum(), 1)
            rows.append([names[i], names[j], f"{off[i, j]:,}", f"{100 * share:.1f} %"])
    if not rows:
        return tag("p", "No class is taken for another.")
    return table(["truth", "taken for", "times", "share of the class"], rows, class_="plain")


def _example(example: Worst, task: str) -> Html:
    assert example.image is not None
    read = [tag("b", example.truth), " read as ", tag("b", example.prediction, class_="bad")]
    alt = f"{example.truth} read as {example.prediction}"
    return tag(
        "figure", picture(example.image, alt), tag("figcaption", read, tag("small", _sure(example, task)))
    )


def _sure(example: Worst, task: str) -> str:
    if task == "regression" or not math.isfinite(example.confidence):
        return plain(example.confidence, 3)
    return f"{100 * example.confidence:.0f} %"
