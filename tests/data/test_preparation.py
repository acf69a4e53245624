import json

import numpy as np
import pandas as pd
import pytest
import torch

from torchatlas.data import Preparation, open_dataset, prepare
from torchatlas.engine.errors import DataError


@pytest.mark.parametrize("kind", ["people", "digits", "diabetes", "labels"])
def test_a_saved_preparation_is_the_same(tmp_path, people, kind):
    if kind == "labels":
        people["l1"], people["l2"] = np.arange(60) % 2, np.arange(60) // 30
        data = open_dataset(people, target=["l1", "l2"])
    else:
        data = open_dataset(people if kind == "people" else kind)
    ready = prepare(data, seed=0)
    ready.preparation.save(tmp_path / "run")
    back = Preparation.load(tmp_path / "run")
    assert back.spec == ready.spec
    inputs = (
        data.inputs.iloc[ready.test.rows] if hasattr(data.inputs, "iloc") else data.inputs[ready.test.rows]
    )
    target = (
        data.target.iloc[ready.test.rows] if hasattr(data.target, "iloc") else data.target[ready.test.rows]
    )
    assert torch.equal(back.encode(inputs), ready.test.x)
    assert torch.equal(back.target(target), ready.test.y)
    outputs = np.random.default_rng(0).random((4, ready.spec.outputs))
    pd.testing.assert_frame_equal(back.decode(outputs), ready.preparation.decode(outputs))


def test_damaged_and_foreign_files_are_refused(tmp_path, people):
    preparation = prepare(open_dataset(people), seed=0).preparation
    preparation.save(tmp_path)
    with pytest.raises(DataError, match="not whole"):
        Preparation.load(tmp_path / "nowhere")
    whole = (tmp_path / "transformers.skops").read_bytes()
    (tmp_path / "transformers.skops").write_bytes(whole[:1000])
    with pytest.raises(DataError, match=r"transformers\.skops is damaged"):
        Preparation.load(tmp_path)
    (tmp_path / "transformers.skops").unlink()
    with pytest.raises(DataError, match="not whole"):
        Preparation.load(tmp_path)
    state = json.loads((tmp_path / "preparation.json").read_text())
    (tmp_path / "preparation.json").write_text(json.dumps({**state, "format": 99, "sha256": None}))
    with pytest.raises(DataError, match="newer torchatlas"):
        Preparation.load(tmp_path)
    (tmp_path / "preparation.json").write_text("{")
    with pytest.raises(DataError, match="is damaged"):
        Preparation.load(tmp_path)


def test_nothing_that_can_run_code_is_loaded(tmp_path, people):
    import skops.io
    from sklearn.preprocessing import FunctionTransformer

    prepare(open_dataset(people), seed=0).preparation.save(tmp_path)
    evil = FunctionTransformer(func=json.dumps)
    (tmp_path / "transformers.skops").write_bytes(skops.io.dumps(evil))
    with pytest.raises(DataError, match="foreign types"):
        Preparation.load(tmp_path)


def test_new_files_are_read_with_or_without_the_target(tmp_path, people):
    people.to_csv(tmp_path / "p.csv", index=False)
    ready = prepare(open_dataset(tmp_path / "p.csv"), seed=0).preparation
    new = people.iloc[:3].assign(more=1)
    new.to_csv(tmp_path / "n.csv", index=False, sep=";", decimal=",")
    data = ready.read(tmp_path / "n.csv")
    assert torch.equal(ready.encode(data.inputs), ready.encode(people.iloc[:3]))
    assert ready.target(data.target).shape == (3,)
    assert data.notes == ["columns that the model does not use: more"]
    assert ready.read(people.drop(columns="y")).target is None
    assert ready.read("iris").name == "iris"


def test_words_for_missing_cells_are_remembered(tmp_path):
    frame = pd.DataFrame({"a": ["1", "?", "-999", *map(str, range(27))], "y": ["u", "v"] * 15})
    data = open_dataset(frame, missing=["?", -999])
    assert data.inputs["a"].isna().sum() == 2
    prepare(data, seed=0).preparation.save(tmp_path)
    (tmp_path / "n.csv").write_text("a\n?\n5\n-999\n")
    new = Preparation.load(tmp_path).read(tmp_path / "n.csv").inputs
    assert new["a"].isna().tolist() == [True, False, True]


def test_targets_without_a_value_are_refused():
    ready = prepare(open_dataset("diabetes"), seed=0).preparation
    with pytest.raises(DataError, match="'progression' is missing or infinite in row 1"):
        ready.target([1.0, np.nan])


def test_one_new_row_whose_cells_look_different(tmp_path):
    frame = pd.DataFrame(
        {"code": ["7", "A1", "B2"] * 10, "d": ["13/01/2024", "02/03/2024", "05/04/2024"] * 10}
    )
    frame["y"] = ["u", "v", "w"] * 10
    ready = prepare(open_dataset(frame), seed=0).preparation
    (tmp_path / "n.csv").write_text("code,d\n7,02/03/2024\n")
    assert torch.equal(
        ready.encode(ready.read(tmp_path / "n.csv").inputs), ready.encode(frame.assign(code="7").iloc[1:2])
    )


def test_new_images_need_no_classes(tmp_path, picture):
    for name in ("cat", "dog"):
        for i in range(6):
            picture(tmp_path / "pets" / name / f"{i}.png")
    ready = prepare(open_dataset(tmp_path / "pets"), seed=0).preparation
    picture(tmp_path / "new" / "a.png", (30, 20))
    data = ready.read(f"folder:{tmp_path / 'new'}")
    assert (data.inputs.shape, data.target) == ((1, 10, 12, 3), None)
    assert len(ready.read(tmp_path / "new" / "a.png")) == 1
    np.savez(tmp_path / "x.npz", x=data.inputs)
    assert torch.equal(ready.encode(ready.read(tmp_path / "x.npz").inputs), ready.encode(data.inputs))
    picture(tmp_path / "some" / "dog" / "a.png")
    labelled = ready.read(tmp_path / "some")
    assert ready.target(labelled.target).tolist() == [1]
