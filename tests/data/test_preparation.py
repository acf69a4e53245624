import json

import numpy as np
import pandas as pd
import pytest
import torch

from torchatlas.data import Preparation, open_dataset, prepare
from torchatlas.engine.errors import DataError, UsageError


def test_digits_for_a_network_of_another_size():
    ready = prepare(open_dataset("digits"), seed=0, input_size=(28, 28), wanted_by="lenet5")
    assert ready.spec.shape == (1, 28, 28)
    assert (ready.spec.task, ready.spec.outputs, ready.spec.classes) == (
        "classification",
        10,
        tuple("0123456789"),
    )
    assert ready.spec.counts == tuple(torch.bincount(ready.train.y).tolist())
    assert "images resized from 8x8 to 28x28, as lenet5 wants" in ready.notes
    assert len(ready.train) + len(ready.valid) + len(ready.test) == 1797
    assert not any("resized" in n for n in prepare(open_dataset("digits"), seed=0, input_size=8).notes)


def test_rows_inputs_and_targets_belong_together():
    data = open_dataset("iris")
    ready = prepare(data, seed=3)
    for part in (ready.train, ready.valid, ready.test):
        assert torch.equal(part.x, ready.preparation.encode(data.inputs.iloc[part.rows]))
        assert part.y.tolist() == data.target.iloc[part.rows].tolist()


def test_only_the_training_part_is_fitted_on():
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(50, 2)), draw.normal(size=50)
    first = prepare(open_dataset((x, y)), seed=0)
    x[first.test.rows] += 1000
    y[first.test.rows] += 1000
    x[first.valid.rows] -= 1000
    second = prepare(open_dataset((x, y)), seed=0)
    assert torch.equal(first.train.x, second.train.x)
    assert torch.equal(first.train.y, second.train.y)
    assert first.train.x.mean(0).abs().max() < 1e-6
    assert first.train.y.std(correction=0).item() == pytest.approx(1)


def test_each_seed_redraws_and_equal_seeds_agree():
    data = open_dataset("wine")
    one, same, other = (prepare(data, seed=s) for s in (0, 0, 1))
    assert torch.equal(one.test.x, same.test.x)
    assert one.test.rows.tolist() != other.test.rows.tolist()


def test_parts_of_share_zero_are_none_and_weights_go_along():
    weights = np.arange(1.0, 41)
    data = open_dataset((np.random.rand(40, 2), np.arange(40) % 2, weights))
    ready = prepare(data, seed=0, valid=0, test=0)
    assert ready.valid is ready.test is None
    assert ready.train.weight.tolist() == weights.tolist()
    assert len(ready.train.tensors()) == 3


def test_data_with_errors_is_refused_with_all_of_them(people):
    people.loc[3, "income"], people.loc[4, "y"] = np.inf, None
    with pytest.raises(DataError, match=r"infinite in row 3[\s\S]*missing in 1 row: row 4"):
        prepare(open_dataset(people), seed=0)


def test_wrong_words():
    with pytest.raises(UsageError, match="lenet5 wants images of 28x28, but iris is a table"):
        prepare(open_dataset("iris"), seed=0, input_size=28, wanted_by="lenet5")
    with pytest.raises(UsageError, match="did you mean 'unit'"):
        prepare(open_dataset("iris"), seed=0, scaling="units")
    with pytest.raises(UsageError, match="a height and a width"):
        prepare(open_dataset("digits"), seed=0, input_size=(1, 2, 3))


def test_data_without_a_target():
    ready = prepare(open_dataset("digits", task="none"), seed=0, scaling="symmetric")
    assert (ready.train.y, ready.spec.task, ready.spec.outputs) == (None, "none", 0)
    assert len(ready.train.tensors()) == 1
    assert ready.train.x.min() == -1
    pictures = ready.preparation.restore(ready.train.x[:2])
    assert pictures.shape == (2, 8, 8, 1)
    with pytest.raises(UsageError, match="predicts nothing"):
        ready.preparation.decode(np.ones((1, 1)))


def test_float64():
    ready = prepare(open_dataset("diabetes"), seed=0, dtype=torch.float64)
    assert ready.train.x.dtype == ready.train.y.dtype == torch.float64
    assert ready.preparation.encode(open_dataset("diabetes").inputs).dtype == torch.float64


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
    (tmp_path / "preparation.json").write_text(json.dumps({**state, "format": 99}))
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
    picture(tmp_path / "some" / "dog" / "a.png")
    labelled = ready.read(tmp_path / "some")
    assert ready.target(labelled.target).tolist() == [1]
