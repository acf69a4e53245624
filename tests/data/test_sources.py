import numpy as np
import pytest

from torchatlas.data import open_dataset
from torchatlas.engine.errors import DataError, UsageError


def test_unknown_names_offer_near_ones_and_all():
    with pytest.raises(UsageError, match=r"'digts'; did you mean 'digits'.*breast_cancer.*csv:PATH"):
        open_dataset("digts")
    with pytest.raises(UsageError, match="no data source 'cvs:'; did you mean 'csv'"):
        open_dataset("cvs:a.csv")
    with pytest.raises(UsageError, match="csv:PATH"):
        open_dataset("csv:")
    with pytest.raises(UsageError, match="cannot be a int"):
        open_dataset(3)
    with pytest.raises(UsageError, match="no task 'clasification'; did you mean"):
        open_dataset("digits", task="clasification")


def test_paths_that_are_not_there(tmp_path):
    with pytest.raises(DataError, match="no file or folder"):
        open_dataset(tmp_path / "nothing.csv")
    with pytest.raises(DataError, match="no file or folder"):
        open_dataset(f"folder:{tmp_path}/nothing")


def test_the_suffix_tells_or_the_prefix(tmp_path):
    (tmp_path / "a.data").write_text("x,y\n1,u\n2,v\n3,u\n")
    with pytest.raises(UsageError, match="say csv:"):
        open_dataset(tmp_path / "a.data")
    assert len(open_dataset(f"csv:{tmp_path / 'a.data'}")) == 3


def test_a_dataset_passes_through_and_its_task_can_be_said():
    digits = open_dataset("digits")
    assert open_dataset(digits) is digits
    assert open_dataset(digits, task="regression").task == "regression"
    free = open_dataset("Digits", task="none")
    assert (free.target, free.task) == (None, "none")
    with pytest.raises(UsageError, match="no target"):
        open_dataset(free, task="classification")


def test_columns_of_named_tables_can_be_chosen():
    iris = open_dataset("iris", drop=["sepal width (cm)"])
    assert iris.inputs.shape == (150, 3)
    assert set(iris.target) == {"setosa", "versicolor", "virginica"}
    width = open_dataset("iris", target="petal width (cm)")
    assert width.task == "regression"
    with pytest.raises(UsageError, match="no columns"):
        open_dataset("digits", target="x")


def test_a_tuple_of_frames(people):
    data = open_dataset((people.drop(columns="y"), people["y"]))
    assert data.inputs.shape == (60, 5)
    assert np.unique(data.target).tolist() == ["no", "yes"]
