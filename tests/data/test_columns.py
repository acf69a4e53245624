import numpy as np
import pandas as pd
import pytest

from torchatlas.data.columns import as_numbers, kind_of, parse_dates, stray, typed, without_commas


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
