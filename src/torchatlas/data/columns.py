"""Columns of a table: numbers, dates, yes/no or words, and the cells that do not fit."""

import re
from typing import Any, Literal

import numpy as np
import pandas as pd
from pandas.api import types

from ..engine.errors import DataError
from .reading import listed, shown

Kind = Literal["number", "boolean", "date", "category"]

DATES = (  # tried in this order; the first that fits every cell is taken
    "ISO8601",
    *(f"{day}{time}" for day in ("%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%m-%d-%Y", "%d-%m-%Y")
      for time in ("", " %H:%M", " %H:%M:%S")),
)  # fmt: skip
_SIMPLE = {
    *("string", "boolean", "integer", "floating", "mixed-integer-float", "decimal", "empty", "interval"),
    *("datetime", "datetime64", "date", "time", "timedelta", "timedelta64", "period"),
}  # what pandas calls a column of one harmless type
_DATE_LIKE = r"^\s*\d{1,4}[-./]\d{1,2}[-./]\d{1,4}(?:[ T]|\s*$)"


def kind_of(column: pd.Series) -> Kind:
    """What a typed column holds."""
    if types.is_bool_dtype(column.dtype):
        return "boolean"
    if types.is_numeric_dtype(column.dtype):
        return "number"
    return "date" if types.is_datetime64_any_dtype(column.dtype) else "category"


def is_number(column: pd.Series) -> bool:
    """Whether a column is stored as numbers (yes/no is not)."""
    return kind_of(column) == "number"


def is_text(column: pd.Series) -> bool:
    """Whether a column is stored as words or Python objects."""
    return kind_of(column) == "category"


def as_numbers(column: pd.Series) -> pd.Series | None:
    """A column of numbers, or of words nearly all of which are numbers, as floats; None for other columns."""
    if is_number(column):
        return column.astype(np.float64)
    if not is_text(column):
        return None
    numbers = pd.to_numeric(column.astype(object), errors="coerce").astype(np.float64)
    return numbers if _nearly(numbers.notna(), column.notna()) else None


def stray(column: pd.Series) -> list[int]:
    """The rows of a text column that are no number (or no date) where nearly all others are."""
    if not is_text(column):
        return []
    known = column.notna()
    fits = pd.to_numeric(column.astype(object), errors="coerce").notna()
    if not _nearly(fits, known):
        texts = column[known].astype(str)
        if not texts.str.match(_DATE_LIKE).mean() >= 0.8:
            return []
        best = max((_parse(texts, f).notna() for f in DATES), key=lambda fit: fit.sum())
        fits = best.reindex(column.index, fill_value=False)
    return np.flatnonzero((known & ~fits).to_numpy()).tolist() if _nearly(fits, known) else []


def without_commas(column: pd.Series, decimal: bool) -> pd.Series:
    """Words such as 1.234,5 (`decimal`) or 1,234.5 as 1234.5, where that makes nearly all of them numbers."""
    if not is_text(column):
        return column
    thousands, point = (".", ",") if decimal else (",", ".")
    group, part = re.escape(thousands), re.escape(point)
    form = rf"\s*[-+]?(\d{{1,3}}({group}\d{{3}})+|\d+)({part}\d+)?\s*"
    texts = column.astype(object).where(column.notna(), "").astype(str)
    fits = texts.str.fullmatch(form)
    if not texts.str.contains(",").any() or not _nearly(fits, column.notna()):
        return column
    written = texts.str.replace(thousands, "").str.replace(point, ".")
    return column.astype(object).where(~fits, written)


def _nearly(fits: "pd.Series[bool]", known: "pd.Series[bool]") -> bool:
    """All, at least 95 %, or all but one of at least five."""
    total, good = int(known.sum()), int((fits & known).sum())
    return good > 0 and (good >= 0.95 * total or (total >= 5 and total - good == 1))


def _parse(texts: pd.Series, form: str) -> pd.Series:
    dates: pd.Series = pd.to_datetime(texts, format=form, errors="coerce", utc=True).dt.tz_localize(None)
    return dates


def parse_dates(column: pd.Series, form: str = "") -> tuple[pd.Series, str] | None:
    """A text column as dates with the form they are written in, or None where they are no dates."""
    texts = column.dropna().astype(str)
    if texts.empty or not (form or texts.head(20).str.match(_DATE_LIKE).all()):
        return None
    for each in (form,) if form else DATES:
        dates = _parse(texts, each)
        if dates.notna().all():
            return dates.reindex(column.index), each
    return None


def typed(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str], list[str]]:
    """Columns stored as what they hold; with the form of each text date, and notes on what was guessed."""
    columns: dict[str, Any] = {}
    formats: dict[str, str] = {}
    unsure: list[str] = []
    for name in frame.columns:
        column = plain(frame[name])
        if is_text(column) and not _coded(frame[name]):
            column, form = _read_text(column)
            if form:
                formats[name] = form
                ambiguous = form.startswith("%m") and parse_dates(
                    frame[name], "%d" + form[2:].replace("%d", "%m")
                )
                unsure += [name] * bool(ambiguous)
        columns[name] = column
    notes = []
    if unsure:
        notes.append(
            f"the dates of {listed(unsure)} are read as month/day/year; both orders fit, "
            "so write them as 2024-12-31 if that is wrong"
        )
    return pd.DataFrame(columns, index=frame.index), formats, notes


def plain(column: pd.Series) -> pd.Series:
    """Nullable, time-zoned and foreign storage as the plain NumPy kinds; words as Python objects."""
    if isinstance(column.dtype, pd.ArrowDtype) and kind_of(column) != "number":
        column = column.astype(object).where(column.notna(), None)
    if column.dtype == object:
        column = column.infer_objects()
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    if types.is_timedelta64_dtype(column.dtype):
        return column.dt.total_seconds()
    kind = kind_of(column)
    if kind == "number" and (not isinstance(column.dtype, np.dtype) or column.dtype == np.longdouble):
        whole = types.is_integer_dtype(column.dtype) and not column.isna().any()
        return column.astype(np.int64 if whole else np.float64)
    if kind == "date":
        return column.dt.tz_convert("UTC").dt.tz_localize(None) if column.dt.tz is not None else column
    if kind == "category":
        return column.astype(object).where(column.notna(), np.nan)
    return column


def told_by_storage(column: pd.Series) -> str | None:
    """The task that a target's storage tells: pandas' categories are classes, whatever their values."""
    return "classification" if isinstance(column.dtype, pd.CategoricalDtype) else None


def _coded(column: pd.Series) -> bool:
    """Whether a column holds numbers that were declared to be categories."""
    dtype = column.dtype
    return isinstance(dtype, pd.CategoricalDtype) and types.is_numeric_dtype(dtype.categories.dtype)


def refuse_objects(frame: pd.DataFrame, role: str = "column") -> None:
    """Raise a DataError for the first cell that is neither a number, a word, a date nor yes/no."""
    for name in frame.columns:
        column = frame[name]
        if types.is_complex_dtype(column.dtype):
            _refuse_cell(f"{role} {str(name)!r}", str(name), 0, column.iloc[0])
        if not is_text(column) or types.infer_dtype(column, skipna=True) in _SIMPLE:
            continue
        for row, cell in enumerate(column):
            if types.is_list_like(cell) or isinstance(cell, bytes | bytearray | memoryview | complex):
                _refuse_cell(f"{role} {str(name)!r}", str(name), row, cell)


def _refuse_cell(where: str, name: str, row: int, cell: object) -> None:
    if isinstance(cell, bytes | bytearray | memoryview):
        cure = "turn it into text (bytes have .decode('utf-8'))"
    elif isinstance(cell, complex | np.complexfloating):
        cure = "make two columns of it, its real and its imaginary part"
    else:
        cure = "spread it over several columns"
    if where.startswith("column"):
        cure += f", or leave it out with drop={name}"
    text = shown(cell).replace("\n", " ")
    text = text if len(text) <= 40 else f"{text[:37]}..."
    raise DataError(
        f"{where} must hold one number, word or date per cell, but row {row} holds {text} "
        f"({type(cell).__name__}); {cure}"
    )


def _read_text(column: pd.Series) -> tuple[pd.Series, str]:
    known = column.dropna()
    if known.empty:
        return column.astype(np.float64), ""
    if known.map(lambda v: isinstance(v, bool)).all():
        return column.astype("boolean"), ""
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.notna().sum() == len(known):
        return numbers.astype(np.float64), ""
    parsed = parse_dates(column)
    return parsed if parsed else (column, "")
