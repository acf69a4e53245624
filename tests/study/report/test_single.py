import pytest

from torchatlas.study.report import RunResult, render_run

from .fake import run_report
from .test_comparison import Page


@pytest.mark.parametrize(
    ("kind", "sections"),
    [
        ("classification", ["results", "learning", "confusion", "worst", "how"]),
        ("regression", ["results", "learning", "predictions", "worst", "how"]),
        ("generative", ["samples", "learning", "how"]),
    ],
)
def test_a_run_has_what_fits_its_task(kind, sections):
    text = render_run(run_report(kind))
    page = Page(text)
    found = [i for i in page.ids if "-" not in i and i != "theme"]
    assert found == [*sections, "repeat", "recipe"]
    assert "http" not in text


def test_the_score_and_the_baseline_are_told():
    report = run_report("classification")
    text = Page(render_run(report)).text
    assert f"lenet5 reaches {report.method.runs[0].scores['accuracy']:.3f} accuracy on digits." in text
    assert "The baseline majority has" in text


def test_scores_on_what_was_learned_stand_beside_those_of_the_test_part():
    report = run_report("classification")
    assert "training part" not in Page(render_run(report)).text
    report.method.runs[0].train_scores = {"accuracy": 0.9876}
    text = Page(render_run(report)).text
    assert "training part" in text and "0.988" in text and "by heart" in text


def test_players_have_a_loss_each():
    text = Page(render_run(run_report("generative"))).text
    assert "critic loss (training)" in text and "generator loss (training)" in text


def test_samples_are_drawn():
    page = Page(render_run(run_report("generative")))
    assert sum(address.startswith("data:image/png") for address in page.addresses) == 32


def test_a_failed_run_says_why():
    report = run_report("classification")
    report.method.runs = [RunResult(3, error="the loss is not finite at step <7>")]
    assert "lenet5 failed: the loss is not finite at step <7>" in Page(render_run(report)).text
    report.method.runs = []
    assert "it did not start" in Page(render_run(report)).text
