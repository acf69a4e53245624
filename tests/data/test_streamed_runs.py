"""Whole runs on a folder whose images stay in their files, beside the same with all in memory."""

import filecmp
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from torchatlas.data import open_dataset
from torchatlas.engine.errors import AtlasError, DataError
from torchatlas.engine.record import read_record
from torchatlas.study.comparing.baselines import run_baseline
from torchatlas.study.training.inputs import fingerprint
from torchatlas.study.training.run import load
from torchatlas.study.training.train import resume, train

SETTINGS = {"steps": 17, "batch_size": 16, "save_every_steps": 1, "log_every": 3, "threads": 1}


@pytest.fixture
def folder(tmp_path):
    draw = np.random.default_rng(0)
    for i in range(120):
        path = tmp_path / "pets" / ("cat", "dog")[i % 2] / f"{i:03}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = draw.integers(0, 120, (8, 8, 3), dtype=np.uint8) + np.uint8(100 * (i % 2))
        Image.fromarray(pixels).save(path)
    return str(tmp_path / "pets")


class Dead(Exception):
    pass


def without_clock(lines):
    return [{key: value for key, value in line.items() if key != "clock"} for line in lines]


def assert_same(one, other):
    names = sorted(str(p.relative_to(one)) for p in (one / "checkpoints").rglob("*") if p.is_file())
    assert len(names) >= 6
    assert filecmp.cmpfiles(one, other, [*names, "test.safetensors"], shallow=False)[1:] == ([], [])
    records = [without_clock(read_record(run / "record.jsonl")) for run in (one, other)]
    assert records[0] == records[1]
    scores = [json.loads((run / "result.json").read_text())["scores"] for run in (one, other)]
    assert scores[0] == scores[1] and scores[0]


def test_a_run_ends_in_the_bytes_of_one_in_memory_also_when_it_was_killed(folder, tmp_path):
    read, left, broken = (tmp_path / name for name in ("read", "left", "broken"))
    train("mlp", folder, out=read, stream=False, dropout=0.2, **SETTINGS)
    train("mlp", folder, out=left, stream=True, dropout=0.2, **SETTINGS)

    def kill(event):
        if event.kind == "checkpoint" and event.step == 7:  # in the midst of the second epoch of five steps
            raise Dead

    with pytest.raises(Dead):
        train("mlp", folder, out=broken, stream=True, dropout=0.2, listeners=[kill], **SETTINGS)
    resume(broken)
    assert_same(read, left)
    assert_same(left, broken)


def test_new_data_is_predicted_and_evaluated_from_files(folder, tmp_path, monkeypatch):
    run = train("mlp", folder, out=tmp_path / "run", stream=True, **SETTINGS)
    wanted, scores = run.predict(folder, batch_size=16), run.evaluate(folder)
    monkeypatch.setattr("torchatlas.data.images.STREAMED", 0)
    assert not isinstance(open_dataset(folder).inputs, np.ndarray)
    loaded = load(tmp_path / "run")
    found = loaded.predict(folder, batch_size=16)
    assert found.equals(wanted) and len(found) == 120
    assert loaded.evaluate(folder) == scores


def test_a_file_that_breaks_is_told_in_words(folder, tmp_path):
    path = Path(folder) / "cat" / "099.jpg"
    Image.effect_noise((64, 64), 50).convert("RGB").save(path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(DataError, match=r"099\.jpg.*delete or replace"):
        train("mlp", folder, out=tmp_path / "run", stream=True, size=8, epochs=2, valid=0, test=0.05)
    train("mlp", folder, out=tmp_path / "more", stream=True, size=8, skip_broken=True, **SETTINGS)


def test_the_fingerprint_is_of_names_sizes_and_classes(folder, tmp_path):
    def now(**more):
        return fingerprint(open_dataset(folder, stream=True, **more))

    first = now()
    os.utime(Path(folder) / "cat" / "000.jpg", (1, 1))
    assert now() == first
    shutil.copytree(folder, tmp_path / "copy")
    assert fingerprint(open_dataset(tmp_path / "copy", stream=True)) == first
    assert now(size=4) != first and now(task="none") != first
    train("mlp", folder, out=tmp_path / "run", stream=True, **SETTINGS)
    (Path(folder) / "cat" / "000.jpg").rename(Path(folder) / "cat" / "0000.jpg")
    assert now() != first
    with pytest.raises(AtlasError, match="not the data that this run began with"):
        resume(tmp_path / "run", epochs=9)
    (Path(folder) / "cat" / "0000.jpg").rename(Path(folder) / "cat" / "000.jpg")
    with (Path(folder) / "cat" / "000.jpg").open("ab") as file:
        file.write(b"more")
    assert now() != first


def test_what_learns_from_all_at_once_gets_what_fits(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("torchatlas.data.prepared.HELD", 30 * 8 * 8 * 3 * 4)
    said = "learns from 30 of 82 training images"
    run = train("random_forest", folder, out=tmp_path / "run", stream=True, threads=1)
    assert any(said in note for note in run.result["notes"]) and run.result["parts"]["train"] == 30
    dataset = open_dataset(folder, stream=True)
    forest = run_baseline("random_forest", dataset, 0, {}, tmp_path / "forest")
    assert any(said in note for note in forest.result["notes"])
    majority = run_baseline("majority", dataset, 0, {}, tmp_path / "majority")
    assert not any("learns from" in note for note in majority.result["notes"])
    assert majority.scores["accuracy"] == 0.5


@pytest.mark.parametrize(
    ("method", "more"),
    [
        ("fixmatch", {"labels": 20}),
        (
            "prototypical_networks",
            {"way": 2, "train_way": 2, "query": 3, "train_query": 3, "split": "random"},
        ),
        ("cyclegan", {"domains": ("cat", "dog")}),
        ("vae", {}),
        ("random_forest", {}),
    ],
)
def test_methods_with_batches_of_their_own_take_rows_too(folder, tmp_path, method, more):
    found = [
        train(method, folder, out=tmp_path / str(stream), stream=stream, threads=1,
              **({} if method == "random_forest" else {"steps": 2, "batch_size": 4}), **more)
        for stream in (False, True)
    ]  # fmt: skip
    assert found[0].scores == found[1].scores and found[0].scores
