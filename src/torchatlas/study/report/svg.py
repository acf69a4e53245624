"""matplotlib figures as inline SVG whose colours follow the page, light or dark."""

import io
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from .markup import Html

# The page's light colours; in inline SVG each becomes its variable of `style.css`.
INK, MUTED, LINE, PAPER = "#1c1e22", "#666b74", "#dddcd5", "#fdfdfb"
SERIES = ("#2867b2", "#cf6a14", "#1b8660", "#8153b5", "#bd3a5c", "#94720a", "#138397", "#7a5a43")
VARIABLES = {INK: "--ink", MUTED: "--muted", LINE: "--line", PAPER: "--paper"}
VARIABLES |= {colour: f"--c{index}" for index, colour in enumerate(SERIES)}
WIDTH = 5.7  # inches, of a chart that takes half of the page

STYLE: Any = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "axes.xmargin": 0.03,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "figure.facecolor": "none",
    "lines.solid_capstyle": "round",
}


@dataclass(frozen=True)
class Chart:
    """A figure, the name that makes its ids unique, what it shows, and texts for its parts by gid."""

    figure: Figure
    name: str
    label: str
    titles: Mapping[str, str] = field(default_factory=dict)


def series_colour(index: int) -> str:
    """The colour of the index-th method; after the last it begins again."""
    return SERIES[index % len(SERIES)]


@contextmanager
def drawing(**more: Any) -> Iterator[None]:
    """The page's style of charts."""
    settings: Any = {**STYLE, **more}  # matplotlib's stubs list every name
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # the browser has the letter
        yield


def inline(chart: Chart) -> Html:
    """The chart as one <svg> element without outside references; the same chart gives the same text.

    Artists whose gid is "s<i>-…" get the class `s<i>`, by which the page highlights a method.
    """
    buffer = io.StringIO()
    with drawing(**{"svg.hashsalt": chart.name}):
        chart.figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", "", text, flags=re.DOTALL)
    box = re.search(r'viewBox="[^"]*"', text)
    assert box is not None
    opening = f'<svg {box[0]} role="img" aria-label="{escape(chart.label)}">'
    text = opening + text[text.index(">") + 1 :].replace("xlink:href", "href")
    text = _ids(_groups(text, chart.titles), chart.name)
    text = re.sub(r' transform="rotate\(-?0 [^"]*"', "", text)
    text = re.sub(r' (?:d|x|y)="[^"]*"', _short, text)
    text = re.sub(r'style="[^"]*"', _style, text)
    return Html(re.sub(r"\s*\n\s*", "\n", text).strip())


def _groups(text: str, titles: Mapping[str, str]) -> str:
    def group(found: re.Match[str]) -> str:
        gid = found[1]
        title = f"<title>{escape(titles[gid])}</title>" if gid in titles else ""
        return f'<g class="s {gid.split("-")[0]}">{title}'

    return re.sub(r'<g id="(s\d+-[^"]*)">', group, text)


def _ids(text: str, name: str) -> str:
    """Ids that something refers to are made unique to the figure; the others go."""
    used = set(re.findall(r"url\(#([^)]+)\)", text)) | set(re.findall(r'href="#([^"]+)"', text))

    def keep(found: re.Match[str]) -> str:
        return f' id="{name}-{found[1]}"' if found[1] in used else ""

    text = re.sub(r' id="([^"]+)"', keep, text)
    return re.sub(r'(url\(|href=")#', rf"\1#{name}-", text)


def _short(found: re.Match[str]) -> str:
    """Coordinates to a hundredth of a point."""
    return re.sub(r"(\.\d\d)\d+", r"\1", found[0].replace("\n", " "))


def _style(found: re.Match[str]) -> str:
    """One style attribute with the page's fonts and colours."""
    text = re.sub(r"font-family: [^;\"]*;? ?", "", found[0])
    text = re.sub(r"font: (?:\w+ )*?([\d.]+px) [^;\"]*", r"font-size: \1", text)
    return re.sub("|".join(VARIABLES), lambda code: f"var({VARIABLES[code[0]]})", text)
