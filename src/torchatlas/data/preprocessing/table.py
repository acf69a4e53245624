"""Tables as tensors, by scikit-learn's transformers fitted on the training part."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ...engine.errors import DataError
from ..checks import names_rows
from ..columns import Kind, kind_of, parse_dates, plain
from ..reading import did_you_mean, listed, shown
from ..spec import Dataset
from ..targets import label

MOST_CATEGORIES = 50  # more categories of one column than this share the column of the rare ones
DATE_PARTS = ("day", "month", "weekday", "hour")


@dataclass(frozen=True)
class Column:
    """One raw column: its kind, and for dates the parts that vary and the form they are written in."""

    name: str
    kind: Kind
    parts: tuple[str, ...] = ()
    form: str = ""


class TableEncoder:
    """A DataFrame -> (n, features) floats.

    Numbers, yes/no and date parts are filled with the median, with a further column that says where they were
    missing, and scaled; categories become one column each. Left out are columns that are empty or constant in
    training, and columns of words that merely name the rows.
    """

    def __init__(self, columns: Sequence[Column], transformer: Any, names: Sequence[str]):
        self.columns, self.transformer, self.names = tuple(columns), transformer, tuple(names)

    @classmethod
    def fit(cls, dataset: Dataset, rows: np.ndarray[Any, Any], scaling: str) -> Self:
        """Choose the columns and learn their transformers from the training rows."""
        frame = dataset.inputs
        assert isinstance(frame, pd.DataFrame)
        part = frame.iloc[rows]
        columns = [_column(part[name], dataset.formats) for name in frame if _useful(part[name])]
        if not columns:
            raise DataError(
                f"{dataset.name} has no column to learn from: all are empty, constant or name the rows"
            )
        encoder = cls(columns, None, ())
        numbers, words = encoder._arranged(part)
        encoder.transformer = _transformer([*numbers.columns], [*words.columns], scaling)
        encoder.transformer.fit(pd.concat([numbers, words], axis=1))
        names = encoder.transformer.get_feature_names_out()
        encoder.names = tuple(str(name).replace("missingindicator_", "missing ") for name in names)
        return encoder

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one encoded row."""
        return (len(self.names),)

    def encode(self, inputs: Any, dtype: torch.dtype = torch.float32) -> Tensor:
        """Raw rows -> model inputs; a missing column or a word among numbers is a DataError."""
        numbers, words = self._arranged(self._checked(inputs))
        values = self.transformer.transform(pd.concat([numbers, words], axis=1))
        encoded = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float64)).to(dtype)
        if not torch.isfinite(encoded).all():
            row, place = (~torch.isfinite(encoded)).nonzero()[0].tolist()
            raise DataError(f"{self.names[place]!r} is too large a number in row {row}; correct or empty it")
        return encoded

    def restore(self, x: Tensor) -> pd.DataFrame:
        """Model inputs or samples -> a table of numbers, date parts and the likeliest categories."""
        values = x.detach().cpu().double().numpy()
        parts: dict[str, Any] = {}
        start = 0
        for name, pipe, columns in self.transformer.transformers_:
            if name not in ("numbers", "words") or not columns:
                continue
            last = pipe[-1]
            width = len(
                last.get_feature_names_out(None if name == "words" else pipe[0].get_feature_names_out())
            )
            back = last.inverse_transform(values[:, start : start + width])
            parts |= {column: back[:, i] for i, column in enumerate(columns)}
            start += width
        return pd.DataFrame(parts)

    def to_json(self) -> dict[str, Any]:
        """Plain values for a JSON file; the transformer is saved beside it."""
        return {"columns": [asdict(column) for column in self.columns], "names": list(self.names)}

    @classmethod
    def from_json(cls, state: dict[str, Any], transformer: Any) -> Self:
        """Back from `to_json` and the transformer."""
        columns = [Column(**{**column, "parts": tuple(column["parts"])}) for column in state["columns"]]
        return cls(columns, transformer, state["names"])

    def _checked(self, inputs: Any) -> pd.DataFrame:
        wanted = [column.name for column in self.columns]
        if not isinstance(inputs, pd.DataFrame):
            array = np.asarray(inputs)
            if array.ndim != 2 or array.shape[1] != len(wanted):
                shape = f"(n, {len(wanted)})"
                raise DataError(f"the model was trained on {shape} inputs, these have shape {array.shape}")
            return pd.DataFrame(array, columns=wanted)
        frame = inputs.set_axis([str(c).strip() for c in inputs.columns], axis=1).reset_index(drop=True)
        absent = [name for name in wanted if name not in frame]
        if absent:
            extra = [str(name) for name in frame if name not in wanted]
            hint = did_you_mean(absent[0], extra)
            others = f"; columns that the model does not know: {listed(extra)}" if extra else ""
            raise DataError(f"the data lacks the columns {listed(map(repr, absent))}{hint}{others}")
        return frame

    def _arranged(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The frame as float columns and word columns."""
        numbers: dict[str, Any] = {}
        words: dict[str, Any] = {}
        for column in self.columns:
            values = frame[column.name]
            if column.kind == "category":
                words[column.name] = values.astype(object).map(label, na_action="ignore").astype(object)
            elif column.kind == "date":
                numbers |= _date_numbers(_as_dates(values, column), column)
            else:
                numbers[column.name] = _as_floats(values, column.name)
        return pd.DataFrame(numbers, index=frame.index), pd.DataFrame(words, index=frame.index)


def _useful(column: pd.Series) -> bool:
    known, distinct = int(column.notna().sum()), column.nunique()
    if distinct == 0 or (distinct == 1 and known == len(column)):
        return False
    return kind_of(column) != "category" or not names_rows(distinct, known)


def _column(column: pd.Series, formats: Any) -> Column:
    kind, name = kind_of(column), str(column.name)
    if kind != "date":
        return Column(name, kind)
    known = column.dropna()
    seen = {"month": known.dt.month, "weekday": known.dt.day_of_week, "hour": known.dt.hour}
    parts = ("day", *(part for part, values in seen.items() if values.nunique() > 1))
    return Column(name, kind, parts, formats.get(name, ""))


def _transformer(numbers: list[str], words: list[str], scaling: str) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler

    scaler = {"unit": MinMaxScaler(clip=True), "symmetric": MinMaxScaler((-1, 1), clip=True)}.get(
        scaling, StandardScaler()
    )
    fill = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    name = SimpleImputer(strategy="constant", fill_value="(missing)")
    spread = OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=MOST_CATEGORIES, sparse_output=False
    )
    steps = [("numbers", make_pipeline(fill, scaler), numbers), ("words", make_pipeline(name, spread), words)]
    used = [step for step in steps if step[2]]
    return ColumnTransformer(used, sparse_threshold=0, verbose_feature_names_out=False)


def _as_floats(values: pd.Series, name: str) -> Any:
    if kind_of(values) in ("number", "boolean"):
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        wrong = np.flatnonzero(np.isinf(numbers))
    else:
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64)
        wrong = np.flatnonzero(np.isinf(numbers) | (np.isnan(numbers) & values.notna().to_numpy()))
    if len(wrong):
        row = int(wrong[0])
        cell = shown(values.iloc[row])
        raise DataError(f"column {name!r} must hold numbers, but row {row} holds {cell}; correct or empty it")
    return numbers


def _as_dates(values: pd.Series, column: Column) -> pd.Series:
    if kind_of(values) == "date":
        return plain(values)
    if values.isna().all():
        return pd.to_datetime(values)
    parsed = parse_dates(values, column.form or "ISO8601")
    if parsed is None:
        dates = pd.to_datetime(values.astype(str), format=column.form or "ISO8601", errors="coerce", utc=True)
        row = int(np.flatnonzero(dates.isna() & values.notna())[0])
        form, cell = column.form or "2024-12-31", shown(values.iloc[row])
        raise DataError(f"column {column.name!r} must hold dates like {form}, but row {row} holds {cell}")
    return parsed[0]


def _date_numbers(dates: pd.Series, column: Column) -> dict[str, Any]:
    """Days since 1970 with their fraction, and the parts of the date that varied in training."""
    seconds = (dates - pd.Timestamp(0).as_unit("us")).dt.total_seconds()  # years far off fit no nanoseconds
    parts = {
        "day": seconds / 86400,
        "month": dates.dt.month,
        "weekday": dates.dt.day_of_week,
        "hour": dates.dt.hour,
    }
    return {f"{column.name} ({part})": parts[part].to_numpy(dtype=np.float64) for part in column.parts}
