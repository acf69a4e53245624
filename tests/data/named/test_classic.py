import numpy as np
import pytest
from sklearn import datasets

from torchatlas.data import open_dataset


def test_digits_keep_their_seventeen_greys():
    data, theirs = open_dataset("digits"), datasets.load_digits()
    assert (data.inputs[..., 0] == theirs.images).all()
    assert (data.maximum, data.inputs.dtype, data.inputs.max()) == (16, np.uint8, 16)


@pytest.mark.parametrize(
    ("name", "rows", "columns", "task"),
    [
        ("iris", 150, 4, "classification"),
        ("wine", 178, 13, "classification"),
        ("breast_cancer", 569, 30, "classification"),
        ("diabetes", 442, 10, "regression"),
    ],
)
def test_small_tables(name, rows, columns, task):
    data = open_dataset(name)
    assert (data.inputs.shape, data.task) == ((rows, columns), task)
    theirs = getattr(datasets, f"load_{name}")()
    assert np.asarray(data.target).tolist() == theirs.target.tolist()
    assert list(data.classes) == [str(c) for c in getattr(theirs, "target_names", [])]
