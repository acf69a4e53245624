"""matplotlib figures as inline SVG whose colours follow the page, light or dark."""

import io
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import escape

import matplotlib
from matplotlib.figure import Figure

from .markup import Html

# Drawn in these colours, then replaced by the page's: a colour that matplotlib cannot know.
INK, MUTED, LINE, PAPER = "#010101", "#020202", "#030303", "#040404"
NAMES = {INK: "--ink", MUTED: "--muted", LINE: "--line", PAPER: "--paper"}
SERIES = 8  # colours for methods; more of them begin again
WIDTH = 5.7  # inches, of a chart that takes half of the page

STYLE = {
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


def series_colour(index: int) -> str:
    """The marker colour of the index-th method."""
    return f"#0500{index % SERIES:02x}"


@contextmanager
def drawing(name: str) -> Iterator[None]:
    """The page's style of charts; ids are made from `name` alone, so that a report is reproducible."""
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # the browser has the letter
        yield


def inline(figure: Figure, name: str, label: str, titles: Mapping[str, str] | None = None) -> Html:
    """The figure as one <svg> element without outside references.

    Artists whose gid is "s<i>-…" get the class `s<i>`, so that the page can highlight a method; `titles` gives
    gids a text that shows under the pointer.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", "", text, flags=re.DOTALL)
    box = re.search(r'viewBox="[^"]*"', text)
    assert box is not None
    text = re.sub(r"<svg[^>]*>", f'<svg {box[0]} role="img" aria-label="{escape(label)}">', text, count=1)
    text = text.replace("xlink:href", "href")
    text = _groups(text, titles or {})
    text = _ids(text, name)
    text = re.sub(r' transform="rotate\(-?0 [^"]*"', "", text)
    text = re.sub(r' (?:d|x|y)="[^"]*"', _short, text)
    text = re.sub(r'style="[^"]*"', _style, text)
    return Html(re.sub(r"\s*\n\s*", "\n", text))


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
    text = re.sub("|".join(NAMES), lambda code: f"var({NAMES[code[0]]})", text)
    return re.sub(r"#0500([0-9a-f]{2})", lambda code: f"var(--c{int(code[1], 16)})", text)
