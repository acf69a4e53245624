import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from torchatlas.data import open_dataset
from torchatlas.engine.errors import AtlasError, UsageError
from torchatlas.engine.record import read_record
from torchatlas.study.training.inputs import fingerprint
from torchatlas.study.training.run import load
from torchatlas.study.training.train import resume, train

QUICK = {"steps": 12, "threads": 1}


def record_of(folder):
    return [{k: v for k, v in line.items() if k != "clock"} for line in read_record(folder / "record.jsonl")]


def table():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=90), "b": rng.choice(["x", "y"], 90)})
    frame["price"] = 40 * frame.a + np.where(frame.b == "x", 300.0, 0.0) + 1000
    return frame


@pytest.mark.parametrize("method", ["mlp", "vae", "gan_nonsaturating", "random_forest"])
def test_a_run_comes_back_from_its_folder(tmp_path, method):
    run = train(method, "digits", out=tmp_path / "run", **({} if method == "random_forest" else QUICK))
    again = load(tmp_path / "run")
    assert again.scores == run.scores and again.result == run.result
    if method in ("mlp", "random_forest"):
        images = np.zeros((3, 8, 8, 1), np.uint8) + np.arange(3, dtype=np.uint8)[:, None, None, None]
        pd.testing.assert_frame_equal(run.predict(images), again.predict(images))
        assert np.array_equal(run.test["prediction"], again.test["prediction"])
    else:
        assert np.array_equal(run.sample(5), again.sample(5)) and run.sample(5).shape == (5, 8, 8, 1)


@pytest.mark.parametrize("method", ["mlp", "vae"])
def test_a_finished_run_gone_on_with_says_the_same(tmp_path, method):
    run = train(method, "digits", out=tmp_path / "run", **QUICK)
    result = {k: v for k, v in run.result.items() if k != "clock"}
    again = resume(tmp_path / "run")
    assert {k: v for k, v in again.result.items() if k != "clock"} == result


def test_one_recipe_gives_one_record(tmp_path):
    for name in "ab":
        source = "vae" if name == "a" else str(tmp_path / "a" / "run.yaml")
        train(source, "digits", out=tmp_path / name, **(QUICK | {"log_every": 3} if name == "a" else {}))
    assert record_of(tmp_path / "a") == record_of(tmp_path / "b") != []
    assert (tmp_path / "a" / "run.yaml").read_text() == (tmp_path / "b" / "run.yaml").read_text()


def test_regression_is_told_in_the_targets_own_unit(tmp_path):
    frame = table()
    run = train("linear_regression", frame, target="price", epochs=200, out=tmp_path / "run", threads=1)
    assert run.scores["rmse"] < 20 and abs(run.test["y"].mean() - 1000) < 400
    found = run.predict(pd.DataFrame({"a": [0.0, 1.0], "b": ["x", None]}))
    assert found.columns.tolist() == ["price"] and found.price[0] == pytest.approx(1300, abs=40)
    assert run.evaluate(frame)["rmse"] == pytest.approx(
        float(np.sqrt(((run.predict(frame).price - frame.price) ** 2).mean())), rel=0.01
    )


def test_what_a_run_writes(tmp_path):
    run = train("mlp", "iris", out=tmp_path / "run", **QUICK)
    names = {path.name for path in (tmp_path / "run").iterdir()}
    wanted = {"run.yaml", "environment.json", "record.jsonl", "result.json", "test.safetensors"}
    assert names == wanted | {"preparation", "checkpoints"}
    assert json.loads((tmp_path / "run" / "result.json").read_text())["scores"] == run.scores
    assert not [path for path in (tmp_path / "run").rglob("*") if path.suffix in (".pkl", ".pt", ".pth")]


def test_one_batch_of_everything(tmp_path):
    run = train("mlp", "digits", smoke=True, epochs=50, out=tmp_path / "run", threads=1)
    assert run.result["steps"] == 1 and set(run.result["parts"].values()) == {64}


def test_what_it_refuses(tmp_path):
    train("mlp", "iris", out=tmp_path / "run", **QUICK)
    with pytest.raises(AtlasError, match="already holds a run"):
        train("mlp", "iris", out=tmp_path / "run", **QUICK)
    with pytest.raises(UsageError, match="does not make new data"):
        load(tmp_path / "run").sample()
    with pytest.raises(AtlasError, match="is not a run"):
        load(tmp_path)
    frame = table()
    train("mlp", frame, target="price", out=tmp_path / "frame", **QUICK)
    frame.loc[0, "a"] = 9.0
    with pytest.raises(AtlasError, match="not the data that this run began with"):
        resume(tmp_path / "frame", frame, steps=20)


def test_a_schedule_without_an_end_is_told(tmp_path):
    words = {"schedule": "lr_cosine", "minutes": 0.001, "threads": 1}
    assert any(
        "no last step" in note for note in train("mlp", "iris", out=tmp_path / "r", **words).result["notes"]
    )


def test_the_data_is_what_it_was_in_every_respect():
    base = open_dataset(table(), target="price", group="b")
    changed = [
        open_dataset(table().rename(columns={"a": "z"}), target="price", group="b"),
        open_dataset(table(), target="price"),
        replace(base, group=base.group[::-1].copy()),
        replace(base, weight=np.ones(90)),
        replace(base, test=[1, 2]),
    ]
    marks = [fingerprint(data) for data in [base, *changed]]
    assert len(set(marks)) == 6 and marks[0] == fingerprint(open_dataset(table(), target="price", group="b"))


def test_what_a_longer_budget_cannot_mend(tmp_path):
    train("mlp", "iris", out=tmp_path / "a", schedule="lr_cosine", **QUICK)
    with pytest.raises(UsageError, match="needs a new run"):
        resume(tmp_path / "a", steps=20)
    train("mlp", "iris", out=tmp_path / "b", **QUICK)
    with pytest.raises(UsageError, match="12 steps already"):
        resume(tmp_path / "b", steps=5)
    with pytest.raises(UsageError, match="needs validation"):
        train("mlp", "iris", out=tmp_path / "c", schedule="lr_plateau", valid=0, **QUICK)


def test_torch_is_left_as_it_was(tmp_path):
    torch.manual_seed(5)
    expected, threads = torch.rand(3), torch.get_num_threads()
    torch.manual_seed(5)
    train("mlp", "iris", out=tmp_path / "a", steps=3, threads=threads + 1)
    assert torch.equal(torch.rand(3), expected) and torch.get_num_threads() == threads


def test_labels_may_be_booleans(tmp_path):
    frame = table()
    frame["cheap"], frame["x"] = frame.price < 1000, frame.b == "x"
    run = train("mlp", frame, target=["cheap", "x"], task="multilabel", out=tmp_path / "r", **QUICK)
    assert set(np.unique(run.test["y"])) == {0.0, 1.0} and 0 < run.scores["label_accuracy"] <= 1
