import numpy as np
import pytest

from torchatlas.study.report import parts
from torchatlas.study.report.markup import Html, address, join, tag
from torchatlas.study.report.model import DataSummary, RunResult, Worst


def runs(*matrices):
    return [RunResult(i, confusion=np.array(matrix)) for i, matrix in enumerate(matrices)]


def test_confusion_sums_the_seeds_and_names_the_pairs():
    text = parts.confusion(runs([[8, 2], [0, 10]], [[7, 3], [1, 9]]), ("cat", "dog"))
    assert ">15</td>" in text and ">19</td>" in text and "--v:0.750" in text
    assert (
        '<td data-label="truth">cat</td><td data-label="taken for">dog</td><td data-label="times">5</td>'
        in text
    )


def test_confusion_of_an_absent_class_and_of_nothing():
    assert "0.000" not in parts.confusion(runs([[0, 0], [0, 3]]), ("a", "b"))
    assert "No class is taken for another" in parts.confusion(runs([[4, 0], [0, 3]]), ("a", "b"))
    assert parts.confusion([RunResult(0)], ()) is None


def test_many_classes_are_listed_by_confusion():
    matrix = 10 * np.eye(30, dtype=int)
    matrix[4, 7] = 3
    text = parts.confusion(runs(matrix), [f"class {i}" for i in range(30)])
    assert 'class="confusion"' not in text and "class 4" in text and "23.1 %" in text


def test_worst_examples_as_rows():
    text = parts.worst([Worst("yes", "<no>", 0.93, cells={"age": "41", "job": "a&b"})], "classification")
    assert "&lt;no&gt;" in text and "93 %" in text and "a&amp;b" in text
    assert parts.worst([], "classification") is None


def test_worst_examples_as_pictures():
    text = parts.worst([Worst("1", "7", 0.5, image=np.zeros((8, 8, 1), np.uint8))], "classification")
    assert 'src="data:image/png;base64,' in text and 'class="pixels"' in text


def test_large_pictures_become_small():
    noise = np.random.default_rng(0).integers(0, 255, (600, 400, 3), dtype=np.uint8)
    assert address(noise).startswith("data:image/jpeg") and len(address(noise)) < 20_000


def test_class_counts():
    data = DataSummary("d", "classification", "table", (3,), 30, 0, 10, ("a", "b"), (20, 10))
    assert "--v:0.500" in parts.class_counts(data)
    many = DataSummary("d", "classification", "table", (3,), 30, 0, 10, ("a",) * 40, tuple(range(5, 45)))
    assert "40, with 5 to 44 samples each" in parts.class_counts(many)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0.00021, "0.21 ms"),
        (9.44, "9.4 s"),
        (812, "13 min 32 s"),
        (8000, "2 h 13 min"),
    ],
)
def test_times(seconds, text):
    assert parts.seconds_text(seconds) == text


def test_markup_escapes_texts_and_attributes():
    assert tag("td", "a < b", title='"x"', class_="n", hidden=True, id=None) == (
        '<td title="&quot;x&quot;" class="n" hidden>a &lt; b</td>'
    )
    assert join([None, "&", Html("<br>"), [1, "é"]]) == "&amp;<br>1é"


@pytest.mark.parametrize(
    ("created", "text"),
    [
        ("2026-11-20T13:12:40+00:00", " · 2026-11-20 13:12 UTC"),
        ("2026-11-20 12:40", " · 2026-11-20 12:40"),
        ("yesterday", " · yesterday"),
        (None, None),
    ],
)
def test_days(created, text):
    assert parts.day(created) == text
