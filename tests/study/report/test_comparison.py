import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from torchatlas.study.report import RunResult, render

from .fake import NAN, image_study, many_classes_study, table_study, verdict_of

VOID = {"meta", "img", "br", "path", "use", "rect"}  # svg shapes close themselves


class Page(HTMLParser):
    """Reads a page strictly: every element closed in its turn, every id once."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.used, self.words, self.addresses = [], [], set(), [], []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"
        assert len(self.ids) == len(set(self.ids)), "an id is used twice"
        assert self.used <= set(self.ids), f"refer to nothing: {self.used - set(self.ids)}"

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        self._attributes(attrs)

    def handle_startendtag(self, tag, attrs):
        self._attributes(attrs)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open and self.open[-1] == tag, f"</{tag}> closes <{self.open[-1:]}>"
            self.open.pop()

    def handle_data(self, data):
        if "style" not in self.open and "script" not in self.open:
            self.words.append(data)

    def _attributes(self, attrs):
        for name, value in attrs:
            assert not name.startswith("on")
            if name == "id":
                self.ids.append(value)
            if name in ("href", "src", "xlink:href"):
                self.addresses.append(value)
            self.used |= set(re.findall(r"url\(#([^)]+)\)", value or ""))
            self.used |= {value[1:]} if name == "href" and value.startswith("#") else set()

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def broken(study):
    """Every number of the study becomes NaN."""
    for method in [*study.methods, *study.baselines]:
        method.seconds = method.latency_ms = NAN
        for run in method.runs:
            run.scores = dict.fromkeys(run.scores, NAN)
            run.curve = [{key: NAN for key in entry} for entry in run.curve]
            run.predicted = None if run.predicted is None else run.predicted * NAN
            for example in run.worst:
                example.confidence = NAN
    study.verdict = verdict_of(study.methods, study.baselines, study.metric, study.higher_is_better, 5)
    return study


def everything_failed():
    study = image_study()
    for method in [*study.methods, *study.baselines]:
        method.runs = [RunResult(run.seed, error="no memory") for run in method.runs]
    study.verdict = verdict_of(study.methods, study.baselines, "accuracy", True, 5)
    return study


def one_method():
    study = image_study()
    study.methods, study.baselines = study.methods[:1], []
    study.verdict = verdict_of(study.methods, [], "accuracy", True, 5)
    return study


STUDIES = {
    "images": image_study,
    "table": table_study,
    "one seed": lambda: image_study(1),
    "one method": one_method,
    "many": many_classes_study,
    "nan": lambda: broken(table_study()),
    "nan images": lambda: broken(image_study()),
    "failed": everything_failed,
}


@pytest.fixture(scope="module")
def pages():
    return {name: render(make()) for name, make in STUDIES.items()}


@pytest.mark.parametrize("name", STUDIES)
def test_a_page_is_whole_and_needs_nothing_from_outside(pages, name):
    text = pages[name]
    page = Page(text)
    assert "http" not in text and "@import" not in text
    assert all(address.startswith(("#", "data:image/")) for address in page.addresses)
    assert len(text) < 1_000_000
    assert "nan" not in page.text.lower().replace("nan_", "").split()


def test_the_verdict_comes_first(pages):
    page = Page(pages["images"])
    study = image_study()
    first, _, rest = study.verdict.sentence.partition(". ")
    where = page.text.replace("\N{NO-BREAK SPACE}", " ")
    assert 0 < where.index(first) < where.index(rest) < where.index("Results")


def test_the_table_holds_means_intervals_differences_and_costs(pages):
    study = image_study()
    text = Page(pages["images"]).text
    for method in study.methods:
        score = study.verdict.method(method.label)
        assert f"{score.mean:.3f} ± {score.high - score.mean:.3f}" in text
        assert f"{method.parameters:,} {method.macs:,}" in text
    pair = study.verdict.pair("mlp", "lenet5")
    assert f"−{100 * -pair.difference:.1f} points −{100 * -pair.low:.1f} to" in text
    assert f"Holm p = {pair.p_holm:.3f}" in text


def test_methods_are_ranked_and_baselines_marked(pages):
    rows = re.findall(r'<tr class="s s(\d)([^"]*)">', pages["images"])
    assert rows == [("2", " best"), ("3", " baseline"), ("1", ""), ("0", ""), ("4", " baseline")]


def test_every_section_is_there(pages):
    wanted = ["results", "seeds", "learning", "cost", "confusion", "worst", "how", "repeat", "recipe"]
    assert [i for i in Page(pages["images"]).ids if "-" not in i and i != "theme"] == [*wanted, "environment"]
    assert "predictions" in Page(pages["table"]).ids


def test_how_it_was_compared_is_said(pages):
    study, text = image_study(), Page(pages["images"]).text
    for said in (study.verdict.test, study.verdict.covers, study.budget, study.tuning, study.split):
        assert said in text
    assert study.command in text and "optimizer: adam" in text and "torch 2.13.0" in text


def test_names_are_escaped(pages):
    text = pages["table"]
    assert "<b>Net" not in text and "mypkg.nets:&lt;b&gt;Net &amp; Co&lt;/b&gt;" in text
    assert "out of memory &lt;at step 40&gt;" in text


def test_failed_runs_are_listed_with_their_reason(pages):
    text = Page(pages["table"]).text
    assert "deep 0, 1, 2, 3, 4 the loss is not finite at step 3" in text
    assert "5 of 5 runs failed" in text and "1 of 5 runs failed" in text
    assert "No method has a score" in Page(pages["failed"]).text


def test_one_seed_says_that_no_test_is_possible(pages):
    text = Page(pages["one seed"]).text
    assert text.count("no test possible") >= 3 and "±" not in text


def test_the_page_is_the_same_each_time(pages):
    assert render(image_study()) == pages["images"]


def test_methods_that_share_a_name_are_told_apart_by_their_label():
    study = image_study()
    for method, activation in zip(study.methods, ("relu", "tanh", "mish"), strict=True):
        method.name, method.label = "mlp", f"mlp activation={activation}"
    study.verdict = verdict_of(study.methods, study.baselines, "accuracy", True, 5)
    text = Page(render(study)).text
    assert "mlp activation=mish is best" in text.replace("\N{NO-BREAK SPACE}", " ")
    assert re.search(r"mlp activation=tanh 0\.971", text)


def test_the_best_is_not_compared_with_itself(pages):
    assert Page(pages["images"]).text.count("best mean") == 1
    assert math.isfinite(image_study().verdict.pairs[0].p)


def test_what_generative_methods_draw_is_shown():
    study = image_study()
    assert 'id="samples"' not in render(study)
    study.methods[0].runs[0].samples = [np.full((4, 4), 200, dtype=np.uint8)] * 3
    page = render(study)
    assert 'id="samples"' in page and page.count('alt="sample ') == 3
