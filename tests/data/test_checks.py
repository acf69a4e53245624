import numpy as np
import pandas as pd
import pytest

from torchatlas.data import check, check_split, open_dataset, row_hashes


def messages(data, severity):
    return [f.message for f in check(data) if f.severity == severity]


def test_sound_data_has_only_notes(people):
    assert {f.severity for f in check(open_dataset(people))} == {"note"}
    assert [f.severity for f in check(open_dataset("digits"))] == ["note"]


def test_an_infinity_is_named_by_row_and_column(people):
    people.loc[[3, 9], "income"] = [np.inf, -np.inf]
    (error,) = messages(open_dataset(people), "error")
    assert "column 'income' is infinite in row 3 (and in 1 more row)" in error
    people["income"] = 1.0
    people["z"] = [np.inf, *range(59)]
    assert "the target 'z' is infinite in row 0" in messages(open_dataset(people, target="z"), "error")[0]


def test_a_text_where_a_number_should_be_is_named_with_its_line(tmp_path, people):
    people["income"] = people["income"].astype(object)
    people.loc[3, "income"] = "a lot"
    people.to_csv(tmp_path / "p.csv", index=False)
    (error,) = messages(open_dataset(tmp_path / "p.csv"), "error")
    assert error.startswith(
        "column 'income' holds the text 'a lot' in row 3 (line 5), where all others are numbers"
    )
    people.loc[5, "joined"] = "soon"
    assert "'joined' holds the text 'soon' in row 5, where all others are dates" in "".join(
        messages(open_dataset(people), "error")
    )


def test_missing_targets_are_listed(people):
    people.loc[[4, 8], "y"] = None
    (error,) = messages(open_dataset(people), "error")
    assert error == "the target 'y' is missing in 2 rows: row 4, row 8; drop or fill them"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (["a"] * 30, "only the class 'a'"),
        ([f"name{i}" for i in range(30)], "names the rows"),
        ([2.5] * 30, "only the class"),
    ],
)
def test_targets_with_nothing_to_learn(target, message):
    data = open_dataset((np.random.rand(30, 2), target))
    assert message in messages(data, "error")[0]
    assert (
        "in every row"
        in messages(open_dataset((np.random.rand(9, 2), [2.5] * 9), task="regression"), "error")[0]
    )


def test_columns_that_say_nothing(people):
    people["void"], people["same"], people["id"] = np.nan, 4, range(60)
    people["name"] = [f"p{i}" for i in range(60)]
    people.loc[0, "city"] = None
    data = open_dataset(people)
    warnings = " | ".join(messages(data, "warning"))
    for part in ("without any value: void", "one value only: same", "number or name the rows: id, name"):
        assert part in warnings
    assert "missing cells: city 1.7%" in " ".join(messages(data, "note"))


def test_class_counts_and_single_samples():
    data = open_dataset((np.random.rand(6, 2), ["a", "a", "a", "b", "b", "c"]))
    assert "3 classes: a 3, b 2, c 1" in messages(data, "note")
    assert "single sample: c" in messages(data, "warning")[0]


def test_copies_across_the_parts_are_found():
    inputs = np.arange(12.0).reshape(6, 2)
    inputs[5] = inputs[1]
    (finding,) = check_split(open_dataset(inputs), np.arange(3), np.array([4, 5]))
    assert (
        "1 row of the test part is also in the training part (first: row 5, the same as row 1)"
        in finding.message
    )
    assert check_split(open_dataset(inputs), np.array([0, 2]), np.array([4, 5])) == []
    images = np.zeros((4, 5, 5, 1), np.uint8)
    images[:, 0, 0, 0] = [1, 2, 3, 1]
    data = open_dataset(images)
    data.test = [3]
    assert "the same as row 0" in messages(data, "warning")[0]


def test_equal_rows_have_equal_hashes():
    frame = pd.DataFrame({"a": [1.0, 1.0, np.nan, np.nan], "b": ["x", "x", None, "x"]})
    hashes = row_hashes(frame)
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3


def test_pictures_of_one_colour_and_bad_pixels():
    images = np.random.rand(5, 4, 4)
    images[2] = 0.5
    assert "1 image of one colour only (first: row 2)" in messages(open_dataset(images), "warning")[0]
    images[3, 0, 0] = np.nan
    assert "the image in row 3 has pixels" in messages(open_dataset(images), "error")[0]


@pytest.mark.parametrize(
    ("cell", "what"),
    [
        ("3 Jan 2024", "dates"),
        ("Jan 3rd, 2024", "dates"),
        ("03.01.24", "dates"),
        ("01/31/2024 10:30 PM", "dates"),
        ("18:30", "times of day"),
        ("$1,234.50", "numbers"),
        ("12%", "numbers"),
        ("1 234 567,5", "numbers"),
        ("A12", None),
        ("10115 Berlin", None),
        ("1.2.3-beta", None),
    ],
)
def test_words_that_seem_to_be_more_are_told(cell, what):
    frame = pd.DataFrame({"c": [cell] * 10 + [f"{cell} "] * 10, "x": range(20), "y": ["u", "v"] * 10})
    found = [f for f in check(open_dataset(frame)) if "taken as words" in f.message]
    assert [f"seems to hold {what}" in f.message for f in found] == [True] * (what is not None)


def test_numbers_too_large_to_reckon_with_are_named():
    frame = pd.DataFrame({"x": [1.0, 2e160, 3.0, 4.0], "y": ["u", "v"] * 2})
    text = "'x' is 2e+160 in row 1: too large"
    assert [f.severity for f in check(open_dataset(frame)) if text in f.message] == ["error"]
    frame["x"] = np.array([1, 2, 3, 6e4], dtype=np.float16)
    assert not [f for f in check(open_dataset(frame)) if f.severity == "error"]


def test_targets_that_may_be_classes_are_told():
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(30, 2))
    whole = [f.message for f in check(open_dataset((inputs, np.arange(30) % 5 * 1.0)))]
    assert any("only 5 different whole numbers" in m and "task=classification" in m for m in whole)
    rows = [f.message for f in check(open_dataset((inputs, np.eye(3)[np.arange(30) % 3])))]
    assert any("exactly one of the labels" in m for m in rows)
    labels = draw.integers(0, 2, (30, 3))
    assert not [f for f in check(open_dataset((inputs, labels))) if "exactly one" in f.message]
