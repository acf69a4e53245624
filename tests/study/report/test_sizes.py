import numpy as np
import pytest

from torchatlas.study.report import DataSummary, RunResult
from torchatlas.study.report.plots import Mark
from torchatlas.study.report.sizes import by_size, recall_chart, recalls, sizes_section
from torchatlas.study.report.svg import inline

COUNTS = (10, 900, 100, 30, 300, 1)
MARK = Mark(0, "mlp")


def data(counts=COUNTS):
    names = tuple("abcdef"[: len(counts)])
    return DataSummary("set", "classification", "table", (4,), sum(counts), 0, 60, names, counts)


def run(hits, rows=10):
    """Each class has so many test rows, of which so many are found; the others go to the next class."""
    matrix = np.diag(hits) + np.roll(np.diag(rows - np.array(hits)), 1, axis=1)
    return RunResult(0, confusion=matrix)


def test_recall_is_the_share_of_a_classs_rows_that_is_found():
    found = recalls([run([1, 9, 5, 3, 7, 0]), run([2, 9, 5, 3, 7, 0])])
    assert found.tolist() == [[0.1, 0.9, 0.5, 0.3, 0.7, 0], [0.2, 0.9, 0.5, 0.3, 0.7, 0]]
    empty = np.diag([4, 0, 2])
    assert np.isnan(recalls([RunResult(0, confusion=empty)])[0, 1])


def test_classes_are_parted_by_their_training_rows():
    assert [group.tolist() for group in by_size(COUNTS)] == [[1, 4], [2, 3], [0, 5]]
    assert [len(group) for group in by_size(range(10))] == [4, 3, 3]


def test_the_section_tells_thirds_of_the_classes_apart():
    shown = str(sizes_section([(MARK, [run([1, 9, 5, 3, 7, 0]), run([3, 9, 5, 3, 7, 0])])], data()))
    assert "largest: 2 classes, 900 to 300 rows" in shown and "smallest: 2 classes, 10 to 1 rows" in shown
    for mean, ends in (("0.800", "0.800 to 0.800"), ("0.400", "0.400 to 0.400"), ("0.100", "0.050 to 0.150")):
        assert mean in shown and ends in shown


@pytest.mark.parametrize("counts", [(50, 40, 30), (100, 1), ()])
def test_classes_that_are_much_alike_or_few_need_no_section(counts):
    runs = [RunResult(0, confusion=np.eye(len(counts), dtype=int))] if counts else [RunResult(0)]
    assert sizes_section([(MARK, runs)], data(counts)) is None
    assert sizes_section([(MARK, [RunResult(0, error="it failed")])], data()) is None


def test_the_chart_goes_from_the_largest_class_to_the_smallest():
    chart = recall_chart([(MARK, recalls([run([1, 9, 5, 3, 7, 0])]))], data())
    (line,) = chart.figure.axes[0].lines
    assert line.get_ydata().tolist() == [0.9, 0.7, 0.5, 0.3, 0.1, 0]
    assert chart.figure.axes[0].get_xticklabels()[0].get_text() == "b\n900"
    assert "largest to the smallest" in inline(chart)


def test_a_class_without_test_rows_is_left_out_of_the_means():
    matrix = run([1, 9, 5, 3, 7, 0]).confusion
    matrix[5] = 0
    shown = str(sizes_section([(MARK, [RunResult(0, confusion=matrix)])], data()))
    assert "0.100" in shown and "nan" not in shown
