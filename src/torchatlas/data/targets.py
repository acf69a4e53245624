"""Targets: what kind of task they make, their numbers for training, and predictions back in their words."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..engine.errors import DataError, UsageError
from .columns import as_numbers, is_number, is_text, kind_of, stray
from .reading import did_you_mean, listed, shown
from .spec import Dataset, Task

TASKS = ("classification", "regression", "multilabel", "none")


def as_frame(target: Any, names: Sequence[str] = ()) -> pd.DataFrame:
    """Targets as named columns: "target", or "target0", "target1" … where they bring no names."""
    if isinstance(target, pd.DataFrame):
        return target.set_axis([str(c) for c in target.columns], axis=1)
    if isinstance(target, pd.Series):
        return target.to_frame("target" if target.name is None else str(target.name))
    try:
        values = np.asarray(target)
    except ValueError:
        raise DataError(
            "the targets have rows of different lengths; they must be (rows,) or (rows, k)"
        ) from None
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim not in (1, 2):
        raise DataError(f"the target has shape {values.shape}; it must be (rows,) or (rows, outputs)")
    given = list(names) if len(names) == (1 if values.ndim == 1 else values.shape[1]) else None
    if values.ndim == 1:
        return pd.DataFrame({(given or ["target"])[0]: values})
    return pd.DataFrame(values, columns=given or [f"target{i}" for i in range(values.shape[1])])


def label(value: object) -> str:
    """A class value as a name: 1, 1.0 and "1" are one class."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def refuse_unknown(said: str | None) -> None:
    """Raise a UsageError for a task that does not exist."""
    if said is not None and said not in TASKS:
        raise UsageError(f"there is no task {said!r}{did_you_mean(said, TASKS)} (tasks: {', '.join(TASKS)})")


def tell_task(target: pd.DataFrame, said: str | None = None) -> Task:
    """The task that a target makes, or the one that was said if the target allows it."""
    refuse_unknown(said)
    if said == "none":
        return "none"
    _refuse_dates(target)
    if said is None:
        return _seen_task(target)
    {"classification": _may_classify, "regression": _may_regress, "multilabel": _may_label}[said](target)
    return said  # type: ignore[return-value]


def _seen_task(target: pd.DataFrame) -> Task:
    if target.shape[1] > 1:
        if all(_zero_one(target[c]) for c in target):
            return "multilabel"
        _may_regress(target)
        return "regression"
    column = target.iloc[:, 0]
    numbers = as_numbers(column)
    if numbers is None:
        return "classification"
    known = numbers.dropna()
    counts = known.value_counts()
    whole = bool((known % 1 == 0).all()) and (column.dtype.kind != "f" or column.isna().any())
    few = len(counts) <= 20 and (counts.min() > 1 if len(counts) else True)
    return "classification" if (whole and few) or len(counts) <= 2 else "regression"


def _zero_one(column: pd.Series) -> bool:
    return kind_of(column) == "boolean" or (is_number(column) and bool(column.dropna().isin([0, 1]).all()))


def _refuse_dates(target: pd.DataFrame) -> None:
    for name in target:
        if kind_of(target[name]) == "date":
            raise DataError(f"the target {name!r} holds dates; turn it into a number (such as days) first")


def _may_classify(target: pd.DataFrame) -> None:
    if target.shape[1] > 1:
        names = listed(target.columns)
        raise DataError(
            f"classification takes one target column, not {names}: choose one of them, or write them as "
            "columns of 0 and 1 and say task=multilabel"
        )
    column = target.iloc[:, 0]
    distinct = column.nunique()
    if is_number(column) and distinct > 100 and distinct > len(column) / 2:
        name = target.columns[0]
        raise DataError(f"{name!r} holds {distinct:,} different numbers in {len(column):,} rows: no classes")


def _may_regress(target: pd.DataFrame) -> None:
    for name in target:
        if as_numbers(target[name]) is None and kind_of(target[name]) != "boolean":
            known = target[name].dropna()
            value = shown(known.iloc[0]) if len(known) else "nothing"
            if target.shape[1] > 1:
                raise DataError(
                    "several targets must all be numbers, or all 0 and 1 (task=multilabel), but column "
                    f"{name!r} holds {value}; choose one target, or write its words as columns of 0 and 1"
                )
            raise DataError(
                f"regression needs numbers, but column {name!r} holds {value}; "
                "choose another target, or say task=classification"
            )


def _may_label(target: pd.DataFrame) -> None:
    for name in target:
        if not _zero_one(target[name]):
            value = shown(next((v for v in target[name].dropna() if v not in (0, 1)), "nothing"))
            raise DataError(
                f"multilabel needs columns of 0 and 1, but column {name!r} holds {value}; write 1 "
                "where a row has the label and 0 where it has not"
            )


@dataclass(frozen=True)
class TargetCoder:
    """Targets as tensors, and predictions as a table in the target's own words and scale.

    Classes are taken from all rows (every split then has the same outputs); the mean and the scale of a
    regression target from the training rows alone.
    """

    task: Task
    names: tuple[str, ...]  # target columns
    classes: tuple[str, ...]  # class, label or target names: one per output
    values: tuple[str, ...] = ()  # classes as the data writes them
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()

    @classmethod
    def fit(cls, dataset: Dataset, rows: np.ndarray[Any, Any]) -> Self:
        """Learn the coding of a dataset's target from its training rows."""
        if dataset.target is None or dataset.task == "none":
            return cls("none", (), ())
        frame = as_frame(dataset.target)
        names = tuple(frame.columns)
        if dataset.task == "classification":
            values = tuple(label(v) for v in _sorted(frame.iloc[:, 0]))
            classes = values
            if dataset.classes:
                values, classes = tuple(str(i) for i in range(len(dataset.classes))), dataset.classes
            return cls("classification", names, tuple(classes), values)
        if dataset.task == "multilabel":
            return cls("multilabel", names, tuple(dataset.classes) or names)
        numbers = frame.iloc[rows].to_numpy(dtype=np.float64)
        scale = numbers.std(axis=0)
        mean = tuple(float(m) for m in numbers.mean(axis=0))
        return cls("regression", names, names, (), mean, tuple(float(s) or 1.0 for s in scale))

    def encode(self, target: Any, dtype: torch.dtype = torch.float32) -> Tensor:
        """Targets as read -> (n,) class numbers, or (n, k) standardised values or 0/1 labels."""
        frame = as_frame(target, self.names)
        if self.task == "none":
            raise UsageError("this data was prepared without a target")
        if frame.shape[1] != len(self.names):
            raise DataError(f"expected the target columns {listed(self.names)}; got {listed(frame.columns)}")
        if self.task == "classification":
            return torch.tensor(self._codes(frame.iloc[:, 0]))
        numbers = self._numbers(frame)
        if not np.isfinite(numbers).all():
            row, column = np.argwhere(~np.isfinite(numbers))[0]
            raise DataError(
                f"the target {self.names[column]!r} is missing or infinite in row {row}; fill or drop it"
            )
        if self.task == "regression":
            numbers = (numbers - np.array(self.mean)) / np.array(self.scale)
        return torch.from_numpy(numbers).to(dtype)

    def decode(self, predictions: Any) -> pd.DataFrame:
        """Model outputs -> a table: class and probabilities, 0/1 per label, or values in their own unit."""
        outputs = np.asarray(predictions, dtype=np.float64)
        outputs = outputs[:, None] if outputs.ndim == 1 else outputs
        if self.task == "none":
            raise UsageError("the model was trained without a target: it predicts nothing")
        if outputs.shape[1] != len(self.classes):
            raise DataError(f"expected {len(self.classes)} outputs per row, got {outputs.shape[1]}")
        shares = {f"p_{name}": outputs[:, i] for i, name in enumerate(self.classes)}
        if self.task == "classification":
            best = np.asarray(self.classes, dtype=object)[outputs.argmax(axis=1)]
            return pd.DataFrame({"prediction": best, **shares})
        if self.task == "multilabel":
            hits = {name: (outputs[:, i] >= 0.5).astype(int) for i, name in enumerate(self.classes)}
            return pd.DataFrame({**hits, **shares})
        return pd.DataFrame(outputs * np.array(self.scale) + np.array(self.mean), columns=list(self.names))

    def counts(self, y: Tensor | None) -> tuple[int, ...]:
        """Samples per class, or positives per label."""
        if y is None or self.task == "regression":
            return ()
        if self.task == "multilabel":
            return tuple(int(c) for c in y.sum(0).tolist())
        return tuple(torch.bincount(y, minlength=len(self.classes)).tolist())

    def to_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return asdict(self)

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        """Back from `to_json`."""
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in state.items()}
        return cls(**fields)

    def _codes(self, column: pd.Series) -> np.ndarray[Any, Any]:
        known = {name: i for i, name in enumerate(self.classes)}
        known |= {value: i for i, value in enumerate(self.values)}
        each = {value: known.get(label(value), -1) for value in column.unique()}
        codes = column.map(each).to_numpy(dtype=np.int64, na_value=-1)
        if (codes < 0).any():
            row = int(np.flatnonzero(codes < 0)[0])
            raise DataError(
                f"row {row} has the class {shown(column.iloc[row])} in column {self.names[0]!r}, "
                f"which is none of those trained on: {listed(self.classes)}"
            )
        return codes

    def _numbers(self, frame: pd.DataFrame) -> np.ndarray[Any, Any]:
        columns = []
        for name in frame:
            column = frame[name]
            if column.isin([True, False]).all():  # booleans, also in a column of objects
                column = column.astype(float)
            numbers = as_numbers(column)
            if numbers is None or stray(column):
                odd = stray(column)
                value = shown(column.iloc[odd[0]] if odd else column.dropna().iloc[0])
                raise DataError(f"the target {name!r} must hold numbers, but holds {value}")
            columns.append(numbers.to_numpy(dtype=np.float64))
        return np.stack(columns, axis=1)


def _sorted(column: pd.Series) -> list[Any]:
    """A column's distinct values: numbers by size, everything else by name."""
    values = column.dropna().unique().tolist()
    return sorted(values, key=label if is_text(column) else None)
