import json

import numpy as np
import pytest

from torchatlas.study.report import as_json, from_json, render, results_rows

from .fake import image_study, run_report, table_study


def test_one_row_per_method_and_seed():
    study = table_study()
    rows = results_rows(study)
    assert len(rows) == 5 * (len(study.methods) + len(study.baselines))
    first = rows[5]
    assert (first["method"], first["seed"], first["baseline"]) == ("mlp", 0, False)
    assert first["rmse"] == study.methods[1].runs[0].scores["rmse"]
    assert first["set.activation"] == "mish" and first["parameters"] == 3_073
    failed = [row for row in rows if row["method"] == "deep"]
    assert all("not finite" in row["error"] and "rmse" not in row for row in failed)


def test_rows_are_known_by_their_label():
    study = table_study()
    study.methods[0].label = "linear_regression lr=1"
    assert results_rows(study)[0]["method"] == "linear_regression lr=1"


@pytest.mark.parametrize("make", [image_study, table_study, lambda: image_study(1)])
def test_json_comes_back_whole(make):
    study = make()
    text = json.dumps(as_json(study), allow_nan=False)
    again = from_json(json.loads(text))
    assert again.verdict.sentence == study.verdict.sentence
    assert np.array_equal(again.methods[0].runs[0].confusion, study.methods[0].runs[0].confusion)
    for got, wanted in zip(again.methods[0].runs[0].worst, study.methods[0].runs[0].worst, strict=True):
        assert got.cells == wanted.cells
        assert wanted.image is None or np.array_equal(got.image, wanted.image)
    assert json.dumps(as_json(again), allow_nan=False) == text


def test_the_report_can_be_made_from_json():
    study = image_study(1)
    assert render(from_json(as_json(study))) == render(study)


def test_samples_and_colours_come_back():
    study = image_study()
    study.methods[0].runs[0].samples = [
        np.arange(48, dtype=np.uint8).reshape(4, 4, 3),
        np.arange(16, dtype=np.uint8).reshape(4, 4, 1),
        run_report("generative").method.runs[0].samples[0],
    ]
    again = from_json(as_json(study)).methods[0].runs[0].samples
    for got, wanted in zip(again, study.methods[0].runs[0].samples, strict=True):
        assert np.array_equal(got, wanted.squeeze())
