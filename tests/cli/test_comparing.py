import csv
import json
import shutil

import pytest
import yaml

TINY = ("--data", "iris", "--steps", 3, "--seeds", 2, "--jobs", 1, "--set", "threads=1")


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_a_comparison_ends_in_a_verdict_and_a_report(atlas, here):
    outcome = atlas("compare", "softmax_regression", "mlp", *TINY, "--out", "study")
    assert outcome.status == 0
    assert "mlp, seed 1: test accuracy" in outcome.err and "[8/8]" in outcome.err
    assert "no difference shown" in outcome.out or "leads" in outcome.out or "best" in outcome.out
    assert "majority (baseline)" in outcome.out and "random_forest (baseline)" in outcome.out
    assert "report: study/report.html" in outcome.out
    assert "<svg" in (here / "study" / "report.html").read_text()
    rows = rows_of(here / "study" / "results.csv")
    runs = {(row["method"], row["seed"]) for row in rows}
    assert {(m, s) for m in ("mlp", "softmax_regression") for s in ("0", "1")} <= runs
    assert json.loads((here / "study" / "results.json").read_text())
    for run in (here / "study" / "runs").glob("mlp-*"):
        assert yaml.safe_load((run / "run.yaml").read_text())["steps"] == 3

    before = {path: path.stat().st_mtime_ns for path in (here / "study" / "runs").rglob("result.json")}
    lost = {"mlp-seed1", "random_forest-seed0"}
    for name in lost:
        (here / "study" / "runs" / name / "result.json").unlink()
    shutil.rmtree(here / "study" / "runs" / "softmax_regression-seed0")
    again = atlas("compare", "softmax_regression", "mlp", *TINY, "--out", "study")
    assert again.status == 0 and "8/8" in again.err
    written = {path.parent.name for path, at in before.items() if path.stat().st_mtime_ns != at}
    assert written == lost | {"softmax_regression-seed0"}
    assert [r["accuracy"] for r in rows_of(here / "study" / "results.csv")] == [r["accuracy"] for r in rows]

    other = atlas("compare", "softmax_regression", "mlp", *TINY, "--epochs", 2, "--out", "study")
    assert other.status == 2 and "another study" in other.err and "--fresh" in other.err
    page = atlas("report", "study", "--out", "page.html")
    assert page.status == 0 and "softmax_regression" in (here / "page.html").read_text()


def test_a_method_that_fails_does_not_take_the_others_with_it(atlas, here):
    outcome = atlas("compare", "mlp", "lenet5", *TINY, "--out", "study")
    assert outcome.status == 0
    assert "lenet5, seed 0: failed: lenet5 cannot be built for this data: it takes images" in outcome.err
    assert (
        "lenet5 failed in every run: lenet5 cannot be built" in outcome.out and "mlp reaches" in outcome.out
    )
    assert "it takes images" in (here / "study" / "report.html").read_text()


def test_where_no_method_works_the_first_failure_is_told(atlas):
    outcome = atlas("compare", "lenet5", *TINY, "--out", "study")
    assert outcome.status == 1 and "no run succeeded" in outcome.err and "it takes images" in outcome.err


def test_one_method_with_varied_options_and_events(atlas):
    words = [
        "--vary",
        "activation=tanh,leaky_relu(negative_slope=0.2)",
        "--data",
        "iris",
        "--steps",
        2,
        "--seeds",
        1,
    ]
    outcome = atlas("compare", "mlp", *words, "--jobs", 1, "--set", "threads=1", "--json", "--out", "study")
    events = [json.loads(line) for line in outcome.out.splitlines()]
    assert (
        outcome.status == 0
        and events[-1]["event"] == "verdict"
        and events[-1]["report"] == "study/report.html"
    )
    ran = {event["method"] for event in events[:-1]}
    assert {"activation=tanh", "activation=leaky_relu(negative_slope=0.2)"} <= ran


def refused(outcome, *words):
    return outcome.status == 2 and all(word in outcome.err for word in words)


def test_wrong_words_fail_before_the_first_run(atlas, here):
    assert refused(atlas("compare", "mlp", "mpl", *TINY, "--out", "study"), "'mpl'", "did you mean mlp")
    assert refused(atlas("compare", "mlp", "mlp", *TINY, "--out", "study"), "once")
    assert refused(
        atlas("compare", "mlp", "--vary", "hiden=1,2", *TINY, "--out", "study"), "did you mean hidden"
    )
    assert refused(atlas("compare", "mlp", "--vary", "hidden", *TINY, "--out", "study"), "--vary", "KEY=")
    assert refused(atlas("compare", "mlp", *TINY, "--seeds", 0, "--out", "study"), "--seeds")
    assert not (here / "study").exists()


def test_a_wrong_part_fails_before_the_first_run(atlas, here):
    words = ["--set", "optimizer=adm", *TINY, "--out", "study"]
    assert refused(atlas("compare", "mlp", *words), "'adm'", "did you mean adam")
    assert not (here / "study").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--metric", "accurazy"], ["'accurazy'", "did you mean accuracy"]),
        (["--device", "foo"], ["'foo'", "cuda:0"]),
        (["--set", "seed=3"], ["--seeds"]),
        (["--vary", "test=0.1,0.2"], ["test", "tested alike"]),
    ],
)
def test_words_that_every_run_would_fail_with(atlas, here, words, told):
    assert refused(atlas("compare", "mlp", *TINY, *words, "--out", "study"), *told)
    assert not (here / "study").exists()


def test_a_folder_with_other_things_is_left_alone(atlas, here):
    (here / "study").mkdir()
    (here / "study" / "thesis.txt").write_text("years of work")
    for fresh in ([], ["--fresh"]):
        outcome = atlas("compare", "mlp", *TINY, *fresh, "--out", "study")
        assert refused(outcome, "not empty", "--out")
    assert (here / "study" / "thesis.txt").read_text() == "years of work"


def test_other_data_in_the_same_file_is_another_question(atlas, here):
    rows = [f"{i},{i % 7},{'ab'[i % 2]}" for i in range(60)]
    table = here / "table.csv"
    table.write_text("\n".join(["one,two,kind", *rows]))
    data = ["--data", "csv:table.csv", "--target", "kind"]
    words = ["compare", "softmax_regression", *TINY, *data]
    assert atlas(*words, "--out", "study").status == 0
    assert atlas(*words, "--out", "study").status == 0  # the same question: all runs are there
    table.write_text("\n".join(["one,two,kind", *rows[:-1], "3,9,a"]))
    assert refused(atlas(*words, "--out", "study"), "another study", "--fresh")


def test_methods_from_an_earlier_run(atlas, here):
    net = ["mlp", "--data", "iris", "--set", "threads=1", "--set", "hidden=4"]
    assert atlas("train", *net, "--steps", 3, "--out", "first").status == 0
    words = [*net, "--steps", 2, "--seeds", 2, "--jobs", 1, "--out", "study"]
    varied = ["--vary", "start=none,first"]
    outcome = atlas("compare", *words, *varied)
    assert outcome.status == 0 and "start=first" in outcome.out and "start=None" in outcome.out
    started = [
        yaml.safe_load(p.read_text())["started"] for p in sorted((here / "study").glob("runs/*/run.yaml"))
    ]
    assert [each is not None for each in started].count(True) == 2
    shutil.rmtree(here / "first")
    assert atlas("train", *net, "--steps", 3, "--seed", 7, "--out", "first").status == 0
    outcome = atlas("compare", *words, *varied)
    assert outcome.status == 2 and "holds another study" in outcome.err
    outcome = atlas("compare", *words[:-1], "other", "--from", "nowhere")
    assert outcome.status == 2 and "there is no run in" in outcome.err and not (here / "other").exists()
