import re
from importlib.resources import files

from matplotlib.figure import Figure

from torchatlas.study.report.svg import INK, LINE, MUTED, PAPER, SERIES, VARIABLES, Chart, drawing, inline


def chart(name="one", text="a <b> & $x$ 漢"):
    with drawing():
        figure = Figure((3, 2), layout="constrained")
        axes = figure.subplots()
        axes.plot([1, 2], [3, 4], color=SERIES[1], gid="s1-curve")
        axes.plot([1, 2], [4, 4], "o", color=MUTED, clip_on=True)
        axes.set_title(text)
        return Chart(figure, name, "what <it> shows", {"s1-curve": "the <second>"})


def test_colours_become_the_pages():
    text = inline(chart())
    assert "var(--c1)" in text and "var(--muted)" in text and "var(--ink)" in text
    assert not re.search(r"#[0-9a-f]{6}\b", re.sub(r'(href="|url\()#[^")]*', "", text))


def test_python_and_the_style_sheet_have_the_same_colours():
    style = files("torchatlas.study.report").joinpath("style.css").read_text()
    light = dict(re.findall(r"(--\w+): light-dark\((#\w+),", style))
    assert {code: light[name] for code, name in VARIABLES.items()} == {code: code for code in VARIABLES}
    assert {INK, LINE, MUTED, PAPER} < set(VARIABLES)


def test_nothing_from_outside_is_left():
    text = inline(chart())
    assert text.startswith("<svg viewBox=") and text.endswith("</svg>")
    assert "http" not in text and "<style" not in text and "font-family" not in text and "xlink" not in text


def test_texts_are_escaped_and_taken_literally():
    text = inline(chart())
    assert "a &lt;b&gt; &amp; $x$ 漢</text>" in text
    assert 'aria-label="what &lt;it&gt; shows"' in text


def test_methods_can_be_found_and_are_named():
    assert '<g class="s s1"><title>the &lt;second&gt;</title>' in inline(chart())


def test_ids_differ_between_charts_and_not_between_runs():
    one, again, two = inline(chart()), inline(chart()), inline(chart("two"))
    ids = [set(re.findall(r' id="([^"]+)"', text)) for text in (one, two)]
    assert one == again
    assert ids[0] and not ids[0] & ids[1]
