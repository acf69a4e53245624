import numpy as np
import pandas as pd
import pytest
import torch

from torchatlas.data import open_dataset, prepare
from torchatlas.data.preprocessing import TableEncoder
from torchatlas.engine.errors import DataError


def fitted(frame, rows=None, scaling="standard"):
    data = open_dataset(frame, task="none")
    return TableEncoder.fit(data, np.arange(len(frame)) if rows is None else np.asarray(rows), scaling)


def test_numbers_are_filled_marked_and_scaled_by_the_training_rows():
    frame = pd.DataFrame({"a": [1.0, 2.0, 6.0, np.nan, 100.0]})
    encoder = fitted(frame, rows=[0, 1, 2, 3])
    filled = np.array([1, 2, 6, 2])  # the median of 1, 2 and 6
    expected = (np.array([1, 2, 6, 2, 100]) - filled.mean()) / filled.std()
    mark = (np.array([0, 0, 0, 1, 0]) - 1 / 4) / np.sqrt(3 / 16)
    np.testing.assert_allclose(encoder.encode(frame), np.stack([expected, mark], 1), rtol=1e-6)
    assert encoder.names == ("a", "missing a")


def test_categories_become_columns_and_unknown_ones_none():
    frame = pd.DataFrame({"c": ["x", "y", None, "x"]})
    encoder = fitted(frame)
    assert encoder.encode(frame).tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]]
    assert encoder.encode(pd.DataFrame({"c": ["new"]})).tolist() == [[0, 0, 0]]


def test_rare_categories_share_a_column():
    words = [f"w{i}" for i in range(60) for _ in range(2 if i else 9)]
    encoder = fitted(pd.DataFrame({"c": words}))
    assert encoder.shape == (50,)
    assert encoder.encode(pd.DataFrame({"c": ["never seen"]}))[0, -1] == 1


def test_dates_become_days_and_the_parts_that_vary():
    days = pd.date_range("2024-03-01", periods=20, freq="D")
    encoder = fitted(pd.DataFrame({"d": days.strftime("%d.%m.%Y")}))
    assert encoder.names == ("d (day)", "d (weekday)")
    back = encoder.restore(encoder.encode(pd.DataFrame({"d": ["09.03.2024"]}), torch.float64))
    assert back["d (day)"][0] == pytest.approx((pd.Timestamp("2024-03-09") - pd.Timestamp(0)).days)
    assert back["d (weekday)"][0] == pytest.approx(5)
    with pytest.raises(DataError, match=r"'d' must hold dates like %d\.%m\.%Y, but row 1 holds 'soon'"):
        encoder.encode(pd.DataFrame({"d": ["01.03.2024", "soon"]}))


def test_yes_and_no_with_gaps():
    encoder = fitted(pd.DataFrame({"b": [True, False, None, True]}))
    assert encoder.names == ("b", "missing b")
    assert torch.isfinite(encoder.encode(pd.DataFrame({"b": [True, False]}))).all()


def test_what_says_nothing_is_left_out():
    n = 40
    frame = pd.DataFrame({"x": range(n), "void": np.nan, "same": 1, "name": [f"n{i}" for i in range(n)]})
    assert [c.name for c in fitted(frame).columns] == ["x"]
    with pytest.raises(DataError, match="no column to learn from"):
        fitted(frame[["void", "same"]])


@pytest.mark.parametrize(("scaling", "low"), [("unit", 0), ("symmetric", -1)])
def test_other_scalings_stay_in_their_range(scaling, low):
    encoder = fitted(pd.DataFrame({"x": [1.0, 2.0, 5.0]}), scaling=scaling)
    x = encoder.encode(pd.DataFrame({"x": [1.0, 5.0, 99.0]}))[:, 0]
    assert x.tolist() == [low, 1, 1]


def test_new_data_is_checked_by_name(people):
    encoder = fitted(people.drop(columns="y"))
    with pytest.raises(
        DataError, match=r"lacks the columns 'city'; did you mean 'City'.*does not know: City"
    ):
        encoder.encode(people.rename(columns={"city": "City"}))
    people["age"] = people["age"].astype(object)
    people.loc[7, "age"] = "old"
    with pytest.raises(DataError, match="'age' must hold numbers, but row 7 holds 'old'"):
        encoder.encode(people)
    people.loc[7, "age"] = np.inf
    with pytest.raises(DataError, match="row 7 holds inf"):
        encoder.encode(people)
    with pytest.raises(DataError, match=r"trained on \(n, 5\)"):
        encoder.encode(np.ones((2, 3)))


def test_the_order_and_index_of_the_columns_do_not_matter(people):
    encoder = fitted(people)
    x = encoder.encode(people)
    assert torch.equal(
        encoder.encode(people[people.columns[::-1]].assign(more=1).set_index(people["city"])), x
    )


def test_a_table_is_restored(people):
    frame = people[["age", "income", "city"]]
    encoder = fitted(frame)
    back = encoder.restore(encoder.encode(frame, torch.float64))
    np.testing.assert_allclose(back[["age", "income"]].astype(float), frame[["age", "income"]])
    assert back["city"].tolist() == frame["city"].tolist()


def test_cells_that_no_number_holds_are_named_plainly():
    data = open_dataset(pd.DataFrame({"x": np.arange(20.0) ** 2, "y": ["u", "v"] * 10}))
    encoder = prepare(data, seed=0).preparation.encoder
    with pytest.raises(DataError, match=r"'x' must hold numbers, but row 1 holds inf; correct"):
        encoder.encode(pd.DataFrame({"x": [1.0, np.inf]}))
    with pytest.raises(DataError, match=r"'x' is too large a number in row 1"):
        encoder.encode(pd.DataFrame({"x": [1.0, 1e60]}))


@pytest.mark.parametrize("first", ["0001-01-01", "9000-01-01", "2024-01-01"])
def test_years_far_off_are_read(first):
    start = np.datetime64(first, "s")
    days = [str(start + np.timedelta64(i, "D")) for i in range(20)]
    data = open_dataset(pd.DataFrame({"d": days, "y": ["u", "v"] * 10}))
    encoded = prepare(data, seed=0).preparation.encode(data.inputs)
    assert (encoded[1:, 0] > encoded[:-1, 0]).all()
