import numpy as np
import pandas as pd
import pytest
import torch

from torchatlas.data.spec import Dataset
from torchatlas.data.targets import TargetCoder, as_frame, label, tell_task
from torchatlas.engine.errors import DataError, UsageError


@pytest.mark.parametrize(
    ("target", "task"),
    [
        (["a", "b", "a"], "classification"),
        ([True, False, True], "classification"),
        ([0, 1, 2] * 5, "classification"),
        ([0.0, 1.0, 0.0], "classification"),
        (list(range(30)), "regression"),
        ([1, 2, 2, 3, 3], "regression"),
        ([0.5, 1.5, 2.5], "regression"),
        ([[0, 1], [1, 1]], "multilabel"),
        ([[0.5, 1], [1, 1]], "regression"),
        (pd.Series(["a", "b"], dtype="category"), "classification"),
    ],
)
def test_the_task_is_seen_from_the_target(target, task):
    assert tell_task(as_frame(target)) == task


def test_a_wrong_task_names_the_column_and_a_value():
    words, several = pd.DataFrame({"mood": ["good", "bad"]}), pd.DataFrame({"a": [0, 1], "b": [0, 7]})
    with pytest.raises(DataError, match="'mood' holds 'good'"):
        tell_task(words, "regression")
    with pytest.raises(DataError, match="'b' holds 7"):
        tell_task(several, "multilabel")
    with pytest.raises(DataError, match="one target column"):
        tell_task(several, "classification")
    with pytest.raises(DataError, match="no classes"):
        tell_task(as_frame(np.arange(300) / 7), "classification")
    with pytest.raises(DataError, match="dates"):
        tell_task(pd.DataFrame({"day": pd.to_datetime(["2024-01-01"])}))
    with pytest.raises(UsageError, match="did you mean 'regression'"):
        tell_task(words, "regresion")


def test_numbers_with_one_stray_word_are_still_regression():
    assert tell_task(as_frame(pd.Series([*map(str, range(30)), "n/a"], dtype=object))) == "regression"


def coder(target, task, classes=(), rows=None):
    data = Dataset("d", "table", pd.DataFrame({"x": range(len(target))}), target, task, classes)
    return TargetCoder.fit(data, np.arange(len(target)) if rows is None else np.asarray(rows))


def test_classes_come_in_the_order_of_their_values():
    numbers = coder(np.array([10, 9, 2]), "classification")
    assert numbers.classes == ("2", "9", "10")
    assert numbers.encode(np.array([9, 10.0, "2"], dtype=object)).tolist() == [1, 2, 0]
    assert numbers.encode([9]).dtype == torch.long
    assert coder(np.array(["b", "a"]), "classification").classes == ("a", "b")


def test_named_classes_are_taken_by_number_or_by_name():
    named = coder(np.array([0, 1, 1]), "classification", ("ham", "spam"))
    assert named.encode(np.array([1, 0])).tolist() == [1, 0]
    assert named.encode(["spam", "ham"]).tolist() == [1, 0]
    with pytest.raises(DataError, match=r"row 1 has the class 'eggs'.* ham, spam"):
        named.encode(["spam", "eggs"])


def test_classification_is_decoded_to_names_and_probabilities():
    table = coder(np.array(["a", "b", "c"]), "classification").decode(np.array([[0.1, 0.7, 0.2]]))
    assert table.to_dict("records") == [{"prediction": "b", "p_a": 0.1, "p_b": 0.7, "p_c": 0.2}]


def test_regression_is_standardised_on_the_training_rows_and_decoded_to_its_own_scale():
    target = pd.DataFrame({"kg": [1.0, 3.0, 100.0], "cm": [10.0, 10.0, 0.0]})
    both = coder(target, "regression", rows=[0, 1])
    y = both.encode(target)
    assert y[:2].tolist() == [[-1.0, 0.0], [1.0, 0.0]]
    assert y.dtype == torch.float32
    assert y[2, 0].item() == pytest.approx(98)
    pd.testing.assert_frame_equal(both.decode(y.numpy()), target)


def test_multilabel_is_decoded_to_labels_and_probabilities():
    labels = coder(pd.DataFrame({"cat": [0, 1], "dog": [1, 1]}), "multilabel")
    y = labels.encode(pd.DataFrame({"cat": [0, 1], "dog": [1, 1]}))
    assert y.tolist() == [[0, 1], [1, 1]]
    assert labels.counts(y) == (1, 2)
    table = labels.decode(np.array([[0.2, 0.9]]))
    assert table.to_dict("records") == [{"cat": 0, "dog": 1, "p_cat": 0.2, "p_dog": 0.9}]


def test_a_wrong_number_of_outputs_is_refused():
    with pytest.raises(DataError, match="expected 2 outputs per row, got 3"):
        coder(np.array(["a", "b"]), "classification").decode(np.ones((1, 3)))


@pytest.mark.parametrize("target", [np.array(["a", "b"]), np.array([1.5, 2.5, 9.5]), None])
def test_a_coder_survives_json(target):
    task = "none" if target is None else tell_task(as_frame(target))
    data = Dataset("d", "table", pd.DataFrame({"x": [1, 2, 3]}), target, task)
    here = TargetCoder.fit(data, np.arange(2))
    assert TargetCoder.from_json(here.to_json()) == here


def test_a_class_is_one_however_its_number_is_stored():
    assert [label(v) for v in (1, 1.0, np.int8(1), np.float32(1), "1", True, 1.5)] == [
        *["1"] * 5,
        "True",
        "1.5",
    ]


def test_several_text_targets_are_told_what_can_be_done():
    words = pd.DataFrame({"a": ["u", "v"], "b": ["v", "u"]})
    with pytest.raises(DataError, match=r"one target column, not a, b: choose one .* columns of 0 and 1"):
        tell_task(words, "classification")
    with pytest.raises(DataError, match=r"several targets must .* 'a' holds 'u'; choose one") as unsaid:
        tell_task(words)
    assert "task=classification" not in str(unsaid.value)
    with pytest.raises(DataError, match="columns of 0 and 1, but column 'a' holds 'u'; write 1 where"):
        tell_task(words, "multilabel")


def test_a_task_that_was_said_is_tried_against_the_target():
    with pytest.raises(DataError, match="dates"):
        tell_task(pd.DataFrame({"day": pd.to_datetime(["2024-01-01"])}), "classification")
    gap = pd.DataFrame({"a": pd.array([True, None], dtype="boolean"), "b": [0.0, 1.0]})
    assert tell_task(gap) == "multilabel"
    assert tell_task(gap, "regression") == "regression"


def test_messages_show_plain_numbers():
    with pytest.raises(DataError, match=r"'b' holds 7\.5;"):
        tell_task(pd.DataFrame({"a": [0.0, 1.0], "b": [0.0, 7.5]}), "multilabel")
    with pytest.raises(DataError, match="the class 3 in column"):
        coder(np.array([1, 2]), "classification").encode(np.array([3]))
    with pytest.raises(DataError, match="different lengths"):
        as_frame([[1], [1, 2]])
