import datetime

import numpy as np
import pandas as pd
import pytest

from torchatlas.data.columns import (
    as_numbers,
    kind_of,
    parse_dates,
    plain,
    refuse_objects,
    stray,
    typed,
    without_commas,
)
from torchatlas.engine.errors import DataError


def one(values, **options):
    frame, formats, notes = typed(pd.DataFrame({"c": pd.Series(values, **options)}))
    return frame["c"], formats.get("c", ""), notes


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2, 3], "number"),
        (["1", "2.5", None], "number"),
        ([True, False], "boolean"),
        ([True, None, False], "boolean"),
        (["a", "b"], "category"),
        (["2024-01-31", None], "date"),
        (["31.01.2024 10:30", "01.02.2024 00:00"], "date"),
        (["2024", "2023"], "number"),
        ([None, None], "number"),
        (["1.2.3", "x"], "category"),
    ],
)
def test_columns_are_stored_as_what_they_hold(values, kind):
    assert kind_of(one(values)[0]) == kind


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "string", "category", "boolean", "float32"])
def test_every_storage_becomes_plain(dtype):
    values = ["a", "b"] if dtype in ("string", "category") else [1, 0]
    column = one(values, dtype=dtype)[0]
    kinds = {"string": "category", "category": "category", "boolean": "boolean"}
    assert kind_of(column) == kinds.get(dtype, "number")


@pytest.mark.parametrize(
    ("text", "day", "form"),
    [
        ("31.12.2024", "2024-12-31", "%d.%m.%Y"),
        ("12/31/2024", "2024-12-31", "%m/%d/%Y"),
        ("31/12/2024", "2024-12-31", "%d/%m/%Y"),
        ("2024/12/31", "2024-12-31", "ISO8601"),
        ("2024-12-31T08:00:00Z", "2024-12-31 08:00", "ISO8601"),
        ("2024-12-31 08:00:00+02:00", "2024-12-31 06:00", "ISO8601"),
    ],
)
def test_dates_are_read_in_the_form_that_fits_all(text, day, form):
    column, found, _ = one([text, text])
    assert (column.iloc[0], found) == (pd.Timestamp(day), form)


def test_an_unclear_order_of_day_and_month_is_said():
    assert "both orders fit" in one(["01/02/2024", "03/04/2024"])[2][0]
    assert one(["01/02/2024", "03/14/2024"])[2] == []


def test_the_form_seen_in_training_is_kept_for_a_lone_unclear_date():
    dates = parse_dates(pd.Series(["03/04/2024"]), "%d/%m/%Y")
    assert dates is not None
    assert dates[0].iloc[0] == pd.Timestamp("2024-04-03")


def test_stray_words_among_numbers_and_dates():
    numbers = pd.Series(["1", "2", "n/a", "4", "5", "6"], dtype=object)
    assert stray(numbers) == [2]
    assert as_numbers(numbers).isna().tolist() == [False, False, True, False, False, False]
    assert stray(pd.Series(["a", "b", "3", "4", "5", "6"], dtype=object)) == []
    assert stray(pd.Series(["2024-01-01"] * 8 + ["soon"], dtype=object)) == [8]
    assert stray(pd.Series([1.0, np.nan])) == []
    assert stray(pd.Series(["n/a", "-", *map(str, range(38))], dtype=object)) == [0, 1]


@pytest.mark.parametrize(
    ("cells", "decimal", "numbers"),
    [
        (["1,5", "2"], True, [1.5, 2.0]),
        (["1.234,5", "-7,25"], True, [1234.5, -7.25]),
        (["1,234", "12,345,678.5"], False, [1234.0, 12345678.5]),
    ],
)
def test_commas_in_numbers(cells, decimal, numbers):
    written = without_commas(pd.Series(cells), decimal)
    assert pd.to_numeric(written).tolist() == numbers


def test_commas_in_words_stay():
    words = pd.Series(["K1,5", "a, b", "1,5"])
    assert without_commas(words, decimal=True).tolist() == words.tolist()


@pytest.mark.parametrize(
    ("cell", "cure"),
    [
        ([1, 2], "spread it over"),
        ({"a": 1}, "spread it over"),
        ({1}, "spread it over"),
        ((1, 2), "spread it over"),
        (np.arange(3), "spread it over"),
        (b"ab", "turn it into text"),
        (1j, "make two columns of it"),
    ],
)
def test_a_cell_that_is_no_number_or_word_is_named(cell, cure):
    cells = pd.Series(["u", "v", None, cell, cell], dtype=object)
    with pytest.raises(
        DataError, match=r"column 'c' must hold one number, word or date.* row 3 holds"
    ) as told:
        refuse_objects(pd.DataFrame({"a": range(5), "c": cells}))
    assert f"({type(cell).__name__}); {cure}" in str(told.value) and "drop=c" in str(told.value)
    with pytest.raises(DataError, match="the target 'c'"):
        refuse_objects(pd.DataFrame({"c": cells}), "the target")


def test_mixed_words_and_numbers_are_no_objects():
    refuse_objects(pd.DataFrame({"c": pd.Series(["a", 1, 2.5, None, True, pd.Timestamp(0)], dtype=object)}))
    with pytest.raises(DataError, match="imaginary"):
        refuse_objects(pd.DataFrame({"c": [1 + 2j]}))


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pd.Series([0, 1, 2], dtype="Int64"), "int64"),
        (pd.Series([0, None, 2], dtype="Int64"), "float64"),
        (pd.Series([0, 1], dtype=np.longdouble), "float64"),
        (pd.Series([datetime.timedelta(days=1)], dtype=object), "float64"),
        (pd.Series(pd.period_range("2020-01", periods=2, freq="M")), "datetime64"),
        (pd.Series(["2020-01-31"]).astype("datetime64[s]").dt.tz_localize("UTC"), "datetime64"),
    ],
)
def test_foreign_storage_becomes_plain(column, expected):
    assert str(plain(column).dtype).startswith(expected)


def test_arrow_storage_becomes_plain():
    arrow = pytest.importorskip("pyarrow", reason="a storage of pandas that needs pyarrow")
    days = pd.Series([datetime.date(2024, 1, 31), None], dtype=pd.ArrowDtype(arrow.date32()))
    column, _, _ = one(days)
    assert (
        kind_of(column) == "date" and column.iloc[0] == pd.Timestamp("2024-01-31") and pd.isna(column.iloc[1])
    )
    assert one(pd.Series([True, False], dtype="bool[pyarrow]"))[0].dtype == bool


def test_numbers_that_were_declared_categories_stay_words():
    assert kind_of(one(pd.Categorical([3, 1, 3]))[0]) == "category"
    assert kind_of(one(pd.Categorical(["3", "1"]))[0]) == "number"


def test_an_unclear_order_with_dashes_is_said():
    assert one(["31-12-2024", "01-12-2024"])[0].iloc[0] == pd.Timestamp("2024-12-31")
    assert "both orders fit" in one(["01-02-2024", "03-04-2024"])[2][0]
