import numpy as np
import pytest

from torchatlas.study.report.charts import costs, curve_text, differences, figures, learning, seeds
from torchatlas.study.report.plots import quantity
from torchatlas.study.report.view import View

from .fake import image_study, run_report, table_study


def lines(chart, gid):
    found = [line for line in chart.figure.axes[0].lines if (line.get_gid() or "").startswith(gid)]
    return [np.asarray(line.get_xydata()) for line in found]


def test_each_seed_is_a_dot():
    study = image_study()
    chart = seeds(View(study))
    found = sorted(dot[0, 0] for dot in lines(chart, "s2-dot"))
    assert found == sorted(run.scores["accuracy"] for run in study.methods[2].runs)
    assert chart.titles["s2-dot0"] == f"lenet5, seed 0: {study.methods[2].runs[0].scores['accuracy']:.3f}"


def test_a_far_baseline_does_not_press_the_methods_together():
    axes = seeds(View(image_study())).figure.axes[0]
    assert axes.get_xlim()[0] > 0.9
    assert any(text.get_text().startswith("← 0.0") for text in axes.texts)


def test_differences_are_to_the_best_in_points():
    study = image_study()
    chart = differences(View(study))
    pair = study.verdict.pair("mlp", "lenet5")
    (dot,) = lines(chart, "s1-difference")
    assert dot[0, 0] == pytest.approx(100 * pair.difference)
    assert lines(chart, "s1-range")[0][:, 0] == pytest.approx([100 * pair.low, 100 * pair.high])
    assert not lines(chart, "s2-")


def test_the_curve_is_the_mean_over_seeds():
    study = image_study()
    first = learning(View(study))[0]
    expected = [np.mean([run.curve[e]["valid_accuracy"] for run in study.methods[0].runs]) for e in range(30)]
    assert lines(first, "s0-curve")[0][:, 1] == pytest.approx(expected)


def test_a_curve_of_one_point_is_a_dot():
    study = image_study()
    drawn = learning(View(study))[0].figure.axes[0].lines
    assert {line.get_marker() for line in drawn} == {""}
    for run in (run for method in study.methods for run in method.runs):
        run.curve = run.curve[:1]
    drawn = learning(View(study))[0].figure.axes[0].lines
    assert drawn and {line.get_marker() for line in drawn} == {"o"}


def test_failed_runs_have_no_part_in_the_curve():
    study = table_study()
    with_failed = lines(learning(View(study))[0], "s2-curve")[0]
    study.methods[2].runs.pop()
    assert np.array_equal(lines(learning(View(study))[0], "s2-curve")[0], with_failed)


def test_players_have_a_curve_each():
    study = image_study()
    for method in study.methods:
        for run in method.runs:
            run.curve = run_report("generative").method.runs[0].curve
    names = [chart.name for chart in learning(View(study))]
    assert names == ["curve-train-critic-loss", "curve-train-generator-loss"]


def test_cost_is_score_against_price():
    study = image_study()
    found = dict(costs(View(study)))
    assert list(found) == ["parameters", "multiply-adds", "training time", "latency"]
    mean = study.verdict.method("lenet5").mean
    assert lines(found["parameters"], "s2-cost")[0][0] == pytest.approx([44_426, mean])


def test_a_cost_that_one_method_has_is_not_drawn():
    study = image_study()
    for method in study.methods[1:]:
        method.macs = None
    assert "multiply-adds" not in dict(costs(View(study)))


def test_a_notebook_gets_matplotlib_figures():
    found = figures(image_study())
    assert {"dots", "differences", "curve-valid-accuracy", "curve-train-loss", "cost-macs"} <= set(found)
    assert all(figure.get_facecolor() == (1, 1, 1, 1) for figure in found.values())


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("valid_accuracy", "accuracy (validation)"),
        ("train_critic.loss", "critic loss (training)"),
        ("valid_rmse", "RMSE (validation)"),
        ("epsilon", "epsilon"),
    ],
)
def test_curves_are_named(key, text):
    assert curve_text(key) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.05, "0.05"), (950, "950"), (44_426, "44.4 k"), (4.1e9, "4.1 G"), (0, "0"), (-2.5, "−2.5")],
)
def test_quantities_are_short(value, text):
    assert quantity(value) == text
