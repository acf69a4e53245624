from dataclasses import replace

import pytest

from torchatlas.cards.reader import catalog
from torchatlas.study.verify.figures import figure_lines


def test_published_figures_are_counted():
    lines = {line.name: line for line in figure_lines(catalog()["lenet5"])}
    assert lines["parameters"].passes and lines["parameters"].message == "44,426"
    assert lines["multiply_adds"].passes and lines["multiply_adds"].message == "281,640"


@pytest.mark.parametrize("name", ["parameters", "multiply_adds"])
def test_a_wrong_figure_fails_and_says_both(name):
    card = replace(catalog()["lenet5"], figures={name: 44_427})
    (line,) = figure_lines(card)
    assert line.passes is False and "44,427 published" in line.message and "counted" in line.message


def test_options_of_the_published_size_are_no_figures():
    lines = list(figure_lines(catalog()["mlp"]))
    assert [(line.name, line.passes) for line in lines] == [("parameters", True)]


def test_what_nothing_here_counts_has_no_verdict():
    card = replace(catalog()["lenet5"], figures={"error": 0.95, "steps": 100})
    (line,) = figure_lines(card)
    assert line.passes is None and line.message.startswith("0.95")
