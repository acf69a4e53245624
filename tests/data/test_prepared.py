import numpy as np
import pytest
import torch

from torchatlas.data import open_dataset, prepare
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


@pytest.mark.parametrize(
    ("source", "shades"),
    [
        ("digits", 17),
        (np.random.default_rng(0).integers(0, 256, (40, 6, 6, 1), dtype=np.uint8), 256),
        (np.random.default_rng(0).random((40, 6, 6, 1), dtype=np.float32), 256),
        ("iris", 0),
    ],
)
def test_the_spec_says_how_many_values_a_pixel_can_have(source, shades):
    data = open_dataset(source) if isinstance(source, str) else open_dataset(source, task="none")
    assert prepare(data, seed=0).spec.shades == shades
