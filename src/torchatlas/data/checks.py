"""Checks of data before it is learned from: everything that is wrong, in words that name place and cure."""

from hashlib import blake2b
from typing import Any

import numpy as np
import pandas as pd

from .columns import as_numbers, is_number, is_text, stray
from .files import Files
from .reading import listed, shown
from .spec import Dataset, Finding, Severity
from .targets import as_frame, label

_MONTH = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mai|okt|dez)[a-z]*"
_DATES = (
    r"\d{4}[-./]\d{1,2}[-./]\d{1,2}",
    r"\d{1,2}[-./]\d{1,2}[-./](?:\d{4}|\d{2})",
    rf"\d{{1,2}}[-. ]*{_MONTH}[-., ]+\d{{2,4}}",
    rf"{_MONTH}[. ]+\d{{1,2}}(?:st|nd|rd|th)?,? \d{{2,4}}",
)
_SIGNED = (r"[$€£¥] ?\d[\d.,]*", r"\d[\d.,]* ?[$€£¥%]", r"\d{1,3}(?:[ '’\u00a0\u202f]\d{3})+(?:[.,]\d+)?")
ALMOST = (  # words that are nearly something else; what, and the cure
    (
        rf"(?i)(?:[a-z]{{3,9}}, )?(?:{'|'.join(_DATES)})(?:[T ,].*)?",
        "dates",
        "write all of them as 2024-12-31",
    ),
    (r"\d{1,2}:\d{2}(?::\d{2})?(?: ?[apAP]\.?[mM]\.?)?", "times of day", "write them as hours, such as 18.5"),
    (rf"[-+]?(?:{'|'.join(_SIGNED)})", "numbers", "write them without signs and spaces"),
)
LARGEST = 1e150  # the square of a larger number is no finite number
Rows = np.ndarray[Any, Any]


def check(dataset: Dataset) -> list[Finding]:
    """All findings on a dataset, errors first; `prepare` refuses data with errors."""
    found = [*dataset.findings]
    found += _table(dataset) if dataset.modality == "table" else _images(dataset)
    found += _target(dataset)
    if len(dataset.test):
        test = np.asarray(dataset.test)
        found += check_split(dataset, np.setdiff1d(np.arange(len(dataset)), test), test)
    order = {"error": 0, "warning": 1, "note": 2}
    return sorted(found, key=lambda finding: order[finding.severity])


def check_split(dataset: Dataset, train: Rows, test: Rows, name: str = "test") -> list[Finding]:
    """Rows of one part whose inputs are in the training part too, byte for byte; not of images in files."""
    if isinstance(dataset.inputs, Files):
        return []
    hashes = row_hashes(dataset.inputs)
    double = test[np.isin(hashes[test], hashes[train])]
    if not len(double):
        return []
    twin = train[hashes[train] == hashes[double[0]]][0]
    cure = "remove the copies" + ", or keep them together with group=..." * (dataset.modality == "table")
    return [
        Finding(
            "warning",
            f"{_count(len(double), 'row')} of the {name} part {_are(len(double))} also in the training part "
            f"(first: {dataset.place(int(double[0]))}, the same as {dataset.place(int(twin))}); "
            f"scores on them are too good: {cure}",
        )
    ]


def row_hashes(inputs: pd.DataFrame | Rows) -> Rows:
    """One 64-bit hash per row; equal rows have equal hashes."""
    if isinstance(inputs, pd.DataFrame):
        return pd.util.hash_pandas_object(inputs, index=False).to_numpy()
    rows = np.ascontiguousarray(inputs).reshape(len(inputs), -1)
    digests = b"".join(blake2b(row.data, digest_size=8).digest() for row in rows)
    return np.frombuffer(digests, dtype=np.uint64)


def _count(n: int, word: str) -> str:
    return f"{n:,} {word}{'' if n == 1 else 's'}"


def _are(n: int) -> str:
    return "is" if n == 1 else "are"


def _more(n: int) -> str:
    return f" (and in {_count(n - 1, 'more row')})" if n > 1 else ""


def _cells(dataset: Dataset, frame: pd.DataFrame, role: str) -> list[Finding]:
    """Errors of single cells: infinities, and words among numbers."""
    found = []
    for name in frame:
        column = frame[name]
        if is_number(column) and column.dtype.kind == "f":
            rows = np.flatnonzero(np.isinf(column.to_numpy()))
            if len(rows):
                place = dataset.place(int(rows[0]))
                text = f"{role} {name!r} is infinite in {place}{_more(len(rows))}; correct or empty the cell"
                found.append(Finding("error", text))
            sizes = column.astype(np.float64).abs()
            rows = np.flatnonzero(np.isfinite(sizes) & (sizes > LARGEST))
            if len(rows):
                place, cell = dataset.place(int(rows[0])), shown(column.iloc[rows[0]])
                text = f"{role} {name!r} is {cell} in {place}{_more(len(rows))}: too large to reckon with"
                found.append(Finding("error", f"{text}; correct or empty the cell"))
        for row in (odd := stray(column))[:1]:
            place = dataset.place(row) + _more(len(odd))
            text = (
                f"{role} {name!r} holds the text {column.iloc[row]!r} in {place}, "
                f"where all others are {'numbers' if as_numbers(column) is not None else 'dates'}; "
                f"correct or empty the cell, or say missing={column.iloc[row]!r} if that means no value"
            )
            found.append(Finding("error", text))
    return found


def _table(dataset: Dataset) -> list[Finding]:
    frame = dataset.inputs
    assert isinstance(frame, pd.DataFrame)
    found = _cells(dataset, frame, "column")
    missing = frame.isna().mean()
    distinct = frame.nunique()
    empty = frame.columns[missing == 1]
    constant = frame.columns[(distinct == 1) & (missing == 0)]
    if len(empty):
        found.append(Finding("warning", f"columns without any value: {listed(empty)}; they are left out"))
    if len(constant):
        text = f"columns with one value only: {listed(constant)}; they say nothing and are left out"
        found.append(Finding("warning", text))
    found += _almost(frame)
    ids = [c for c in frame.columns if _identifies(frame[c], int(distinct.loc[c]))]
    if ids:
        text = f"columns that seem to number or name the rows: {listed(ids)}; leave them out with drop=..."
        found.append(Finding("warning", text))
    gaps = missing[(missing > 0) & (missing < 1)].sort_values(ascending=False)
    if len(gaps):
        shares = listed(f"{name} {share:.1%}" for name, share in gaps.items())
        found.append(Finding("note", f"missing cells: {shares}; numbers are filled with the median"))
    return found


def _almost(frame: pd.DataFrame) -> list[Finding]:
    """Warnings of words that a person would read as dates or numbers."""
    found = []
    for name in frame:
        if not is_text(frame[name]):
            continue
        texts = frame[name].dropna().astype(str).str.strip()
        for form, what, cure in ALMOST:
            if len(texts) and texts.str.fullmatch(form).mean() >= 0.95:
                text = (
                    f"column {name!r} is taken as words, though it seems to hold {what} ({texts.iloc[0]!r})"
                )
                found.append(Finding("warning", f"{text}; {cure}"))
                break
    return found


def _identifies(column: pd.Series, distinct: int) -> bool:
    n = len(column)
    if n < 10 or column.isna().any():
        return False
    if is_text(column):
        return names_rows(distinct, n)
    return is_number(column) and distinct == n and float(column.max() - column.min()) == n - 1


def names_rows(distinct: int, rows: int) -> bool:
    """Whether a column of words has so many that they tell rows apart rather than group them."""
    return distinct > 20 and distinct > 0.9 * rows


def _images(dataset: Dataset) -> list[Finding]:
    images = dataset.inputs
    if isinstance(images, Files):  # to look at all of them takes as long as an epoch
        return []
    assert isinstance(images, np.ndarray)
    if images.dtype.kind == "f":
        bad = np.flatnonzero(~np.isfinite(images).reshape(len(images), -1).all(axis=1))
        if len(bad):
            place = dataset.place(int(bad[0])) + _more(len(bad))
            text = f"the image in {place} has pixels that are no finite number"
            return [Finding("error", f"{text}; remove or mend it")]
    flat = images.reshape(len(images), -1)
    plain = np.flatnonzero((flat == flat[:, :1]).all(axis=1))
    if len(plain):
        first = dataset.place(int(plain[0]))
        return [Finding("warning", f"{_count(len(plain), 'image')} of one colour only (first: {first})")]
    return []


def _target(dataset: Dataset) -> list[Finding]:
    if dataset.target is None:
        return []
    frame = as_frame(dataset.target)
    found = _cells(dataset, frame, "the target")
    for name in frame:
        rows = np.flatnonzero(frame[name].isna())
        if len(rows):
            places = listed((dataset.place(int(r)) for r in rows), 5)
            text = (
                f"the target {name!r} is missing in {_count(len(rows), 'row')}: {places}; drop or fill them"
            )
            found.append(Finding("error", text))
    if dataset.task == "classification":
        return found + _classes(dataset, frame.iloc[:, 0].dropna())
    found += _perhaps_classes(dataset, frame)
    for name in frame:
        if frame[name].nunique() == 1:
            value = frame[name].dropna().iloc[0]
            severity: Severity = "warning" if frame.shape[1] > 1 else "error"
            text = f"the target {name!r} is {value} in every row: there is nothing to learn"
            found.append(Finding(severity, text))
    return found


def _perhaps_classes(dataset: Dataset, frame: pd.DataFrame) -> list[Finding]:
    """What a target that is not learned as classes may have been meant as."""
    if dataset.task == "multilabel" and frame.shape[1] > 1:
        hits = frame.astype(float).sum(axis=1)
        if (hits == 1).all():
            text = "each row has exactly one of the labels; if they are classes, give the class of each row"
            return [Finding("warning", f"{text} in one column (argmax)")]
    if dataset.task != "regression" or frame.shape[1] > 1 or not is_number(frame.iloc[:, 0]):
        return []
    known = frame.iloc[:, 0].dropna()
    few = known.nunique() <= 20 and known.nunique() < len(known) / 2
    if few and bool((known % 1 == 0).all()):
        text = f"the target {frame.columns[0]!r} has only {known.nunique()} different whole numbers and is "
        return [Finding("note", f"{text}learned as a number; if they are classes, say task=classification")]
    return []


def _classes(dataset: Dataset, column: pd.Series) -> list[Finding]:
    counts = column.map(label).value_counts()
    if dataset.classes:
        counts.index = pd.Index([dataset.classes[int(i)] for i in counts.index])
    if len(counts) < 2:
        only = f"only the class {counts.index[0]!r}" if len(counts) else "no class at all"
        return [Finding("error", f"the target {column.name!r} has {only}; a task needs at least two classes")]
    if counts.max() == 1:
        text = (
            f"every row has a class of its own in {column.name!r}: it names the rows; "
            "choose another target, or say task=regression if it is a number"
        )
        return [Finding("error", text)]
    found = []
    rare = counts.index[counts < 2]
    if len(rare):
        text = f"classes with a single sample: {listed(rare)}; they cannot be both learned and tested"
        found.append(Finding("warning", text))
    shares = listed(f"{name} {count:,}" for name, count in counts.items())
    return [*found, Finding("note", f"{len(counts)} classes: {shares}")]
