import html
import shutil
import warnings

import numpy as np
import pandas as pd
import pytest
from torch import nn

from torchatlas.engine.errors import AtlasError, UsageError
from torchatlas.study.comparing.compare import compare
from torchatlas.study.comparing.reports import report
from torchatlas.study.verdict.statistics import BOOTSTRAP, RESAMPLED

QUICK = {"seeds": 2, "jobs": 1, "show": "none", "steps": 3, "threads": 1}


def table(rows=120):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(rows, 3)), columns=["a", "b", "c"])
    frame["kind"] = np.where(frame.a > 0, "up", "down")
    frame["day"] = pd.date_range("2021-01-01", periods=rows)
    return frame


class Own(nn.Module):
    def __init__(self, in_features: int, num_classes: int, width: int = 4):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(in_features, width), nn.ReLU(), nn.Linear(width, num_classes))

    def forward(self, x):
        return self.net(x)


def test_an_own_network_and_a_frame(tmp_path):
    found = compare([Own, "mlp"], table(), target="kind", drop="day", width=6, out=tmp_path / "s", **QUICK)
    assert list(found.table.index.sort_values()) == [
        "Own",
        "majority (baseline)",
        "mlp",
        "random_forest (baseline)",
    ]
    own = next(m for m in found.study.methods if m.label == "Own")
    assert own.parameters == 3 * 6 + 6 + 6 * 2 + 2 and own.macs == 3 * 6 + 6 * 2  # width went to Own alone
    assert found.verdict.test == RESAMPLED and found.report.exists()
    assert {"results.csv", "results.json", "study.yaml"} <= {path.name for path in (tmp_path / "s").iterdir()}


def test_a_split_by_time_is_no_redrawn_split(tmp_path):
    found = compare(
        ["mlp", "softmax_regression"], table(), target="kind", time="day", out=tmp_path / "s", **QUICK
    )
    assert found.verdict.test == BOOTSTRAP
    assert found.study.split == "the same test part for each seed"


def test_generative_methods_have_no_baselines(tmp_path):
    found = compare("vae", "digits", vary={"code": [2, 4]}, out=tmp_path / "s", **QUICK)
    assert [m.label for m in found.study.methods] == ["code=2", "code=4"] and not found.study.baselines
    assert found.study.metric == "loss" and len(found.study.methods[0].runs[0].samples) == 16


def test_what_has_no_score_is_not_called_a_failure(tmp_path):
    found = compare(["gan_minimax", "gan_nonsaturating"], "digits", out=tmp_path / "s", **QUICK)
    assert "no score" in found.sentence and [m.failed for m in found.verdict.methods] == [0, 0]


@pytest.mark.parametrize("seeds", [0, [], [0, 0]])
def test_seeds_must_be_some_and_each_once(tmp_path, seeds):
    with pytest.raises(UsageError, match=r"each once"):
        compare("mlp", "iris", out=tmp_path / "s", **(QUICK | {"seeds": seeds}))
    assert not (tmp_path / "s").exists()


def test_a_file_that_changed_is_read_again(tmp_path):
    frame, path = table().drop(columns="day"), tmp_path / "table.csv"
    accuracy = []
    for name in ("first", "second"):
        frame.to_csv(path, index=False)
        words = {"target": "kind", "out": tmp_path / name, **(QUICK | {"steps": 200})}
        found = compare("softmax_regression", f"csv:{path}", **words)
        accuracy.append(found.study.methods[0].runs[0].scores["accuracy"])
        frame["kind"] = np.random.default_rng(0).permutation(frame["kind"])
    assert accuracy[0] > 0.9 > accuracy[1]


def local():
    class Local(Own):
        pass

    return Local


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_class_defined_inside_a_function(tmp_path, jobs):
    out, words = tmp_path / "s", QUICK | {"jobs": jobs}
    found = compare([local(), "mlp"], "iris", out=out, **words)
    assert [m.label for m in found.study.methods] == ["Local", "mlp"] and found.study.methods[0].macs == 28
    assert not found.study.command and "Local lived in" in html.unescape(found.report.read_text())
    (out / "runs" / "Local-seed1" / "result.json").unlink()
    again = compare([local(), "mlp"], "iris", out=out, **words)
    assert [run.scores for m in again.study.methods for run in m.runs] == [
        run.scores for m in found.study.methods for run in m.runs
    ]
    report(out)  # the class is not to be found again: its cost is unknown, the scores stand
    assert "its cost is unknown" in html.unescape(found.report.read_text())


def test_a_function_without_a_name_makes_networks(tmp_path):
    found = compare([lambda in_features, num_classes: Own(in_features, num_classes)], "iris",
                    out=tmp_path / "s", **QUICK)  # fmt: skip
    assert found.study.methods[0].label == "<lambda>" and found.study.methods[0].runs[0].scores


def test_a_network_that_was_rewritten_is_another_question(tmp_path):
    def first(in_features, num_classes):
        return Own(in_features, num_classes)

    def second(in_features, num_classes):
        return Own(in_features, num_classes, 8)

    first.__qualname__ = second.__qualname__ = "net"
    for _ in range(2):
        compare(first, "iris", out=tmp_path / "s", **QUICK)
    with pytest.raises(UsageError, match=r"another study"):
        compare(second, "iris", out=tmp_path / "s", **QUICK)


def test_why_methods_failed_is_in_the_verdict_and_in_the_error(tmp_path):
    found = compare(["mlp", "lenet5"], "iris", out=tmp_path / "s", **QUICK)
    assert "lenet5 failed in every run: lenet5 cannot be built" in found.sentence
    assert "No command" not in found.report.read_text()
    with pytest.raises(AtlasError, match=r"no run succeeded: lenet5.*it takes images"):
        compare(["lenet5"], "iris", out=tmp_path / "t", **QUICK)


def test_a_study_damaged_by_hand_is_mended(tmp_path):
    out = tmp_path / "s"
    whole = compare(["mlp", "softmax_regression"], "iris", out=out, **QUICK)
    runs = out / "runs"
    (runs / "mlp-seed0" / "result.json").write_text('{"scores": {"acc')
    (runs / "mlp-seed1" / "test.safetensors").write_bytes(b"short")
    (runs / "softmax_regression-seed1" / "preparation" / "preparation.json").unlink()
    (runs / "random_forest-seed0" / "test.safetensors").unlink()
    shutil.rmtree(runs / "softmax_regression-seed0" / "checkpoints")
    mended = compare(["mlp", "softmax_regression"], "iris", out=out, **QUICK)
    assert mended.table.drop(columns=["train_seconds", "latency_ms"]).equals(
        whole.table.drop(columns=["train_seconds", "latency_ms"])
    )
    (runs / "mlp-seed0" / "run.yaml").write_text("{")
    partly = compare(["mlp", "softmax_regression"], "iris", out=out, **QUICK)
    (error,) = [run.error for m in partly.study.methods for run in m.runs if run.error]
    assert "run.yaml" in error and f"delete {runs / 'mlp-seed0'}" in error


@pytest.mark.parametrize("kept", [0, 40, 0.6])
def test_a_question_cut_short_is_told(tmp_path, kept):
    out = tmp_path / "s"
    compare("mlp", "iris", out=out, **QUICK)
    text = (out / "study.yaml").read_text()
    (out / "study.yaml").write_text(text[: int(kept if isinstance(kept, int) else kept * len(text))])
    for again in (lambda: compare("mlp", "iris", out=out, **QUICK), lambda: report(out)):
        with pytest.raises(AtlasError, match=r"study.yaml is damaged.*--fresh"):
            again()
    assert compare("mlp", "iris", out=out, fresh=True, **QUICK).report.exists()


def test_a_report_wants_the_data_that_was_compared(tmp_path):
    out, frame = tmp_path / "s", table().drop(columns="day")
    compare("mlp", frame, target="kind", out=out, **QUICK)
    with pytest.raises(AtlasError, match=r"object in Python.*compare again"):
        report(out)
    frame.to_csv(tmp_path / "t.csv", index=False)
    compare("mlp", f"csv:{tmp_path / 't.csv'}", target="kind", out=tmp_path / "t", **QUICK)
    assert report(tmp_path / "t").exists()
    frame.iloc[::-1].to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(AtlasError, match=r"not what it was"):
        report(tmp_path / "t")


def test_a_report_of_a_study_without_a_finished_method(tmp_path):
    compare("mlp", "iris", out=tmp_path / "s", **QUICK)
    for seed in (0, 1):
        (tmp_path / "s" / "runs" / f"mlp-seed{seed}" / "result.json").unlink()
    (tmp_path / "s" / "runs" / "odd-seedling").mkdir()
    with pytest.raises(AtlasError, match=r"no finished run yet"):
        report(tmp_path / "s")


class Warner(Own):
    def __init__(self, in_features: int, num_classes: int):
        super().__init__(in_features, num_classes)
        warnings.warn("mind the gap", stacklevel=2)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("jobs", [1, 2])
def test_warnings_of_runs_reach_the_caller(tmp_path, jobs):
    with pytest.warns(UserWarning, match=r"mind the gap") as caught:
        compare(Warner, "iris", out=tmp_path / "s", **(QUICK | {"jobs": jobs}))
    if jobs == 2:  # from a worker process, by way of this one
        assert any(each.filename.endswith("compare.py") for each in caught)


def test_under_torchrun_it_is_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="without torchrun"):
        compare("mlp")
