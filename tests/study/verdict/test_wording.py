import math

import pytest

from torchatlas.study.verdict.wording import difference_text, metric_text, p_text, plain, score_text, unit


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (51.0612, 4, "51.06"),
        (-0.01234, 3, "−0.0123"),
        (0, 3, "0"),
        (1234567.0, 3, "1,234,567"),
        (1e-9, 3, "1.00e−09"),
    ],
)
def test_plain_numbers(value, digits, text):
    assert plain(value, digits) == text


def test_shares_are_told_in_points():
    assert difference_text(0.0124, "accuracy") == "1.2"
    assert difference_text(-0.0006, "accuracy", signed=True) == "−0.06"
    assert difference_text(0.0124, "accuracy", signed=True) == "+1.2"
    assert difference_text(-0.0, "accuracy", signed=True) == "0.0"
    assert difference_text(3.377, "rmse", signed=True) == "+3.38"
    assert (unit("accuracy", 0.01), unit("accuracy", 0.02), unit("rmse", 1)) == (" point", " points", "")


def test_scores_and_p_values():
    assert (score_text(0.98542, "accuracy"), score_text(51.0612, "rmse")) == ("0.985", "51.06")
    assert score_text(math.nan, "accuracy") == "–"
    assert [p_text(p) for p in (1e-5, 0.0123, 0.376, math.nan)] == ["< 0.001", "= 0.012", "= 0.38", "–"]


def test_metrics_are_named():
    assert [metric_text(m) for m in ("balanced_accuracy", "rmse", "macro_f1")] == [
        "balanced accuracy",
        "RMSE",
        "macro F1",
    ]
