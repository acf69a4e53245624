"""Preparing data: checked, split, fitted on the training part and ready for a learner."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import torch

from ..engine.errors import DataError, UsageError
from ..engine.randomness import key_seed
from .checks import check, check_split
from .experience import ObservationEncoder, make
from .experience.environments import names_of
from .files import Encoded, Files, taken
from .long_tailed import long_tail_rows
from .preparation import Preparation
from .preprocessing import ImageEncoder, TableEncoder
from .reading import did_you_mean, listed
from .spec import Dataset, Finding, Part, Spec
from .splits import Split, balanced_rows, split as draw_split
from .targets import TargetCoder
from .text import TextEncoder

SCALINGS = ("standard", "unit", "symmetric")
FITTED = 2048  # images that stay in files, of which the brightness is measured
HELD = 1 << 30  # bytes of such images that a method gets which learns from all at once


@dataclass(frozen=True)
class Prepared:
    """Data ready for a learner; `valid` and `test` are None where their share is 0."""

    spec: Spec
    train: Part
    valid: Part | None
    test: Part | None
    preparation: Preparation
    notes: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    unlabelled: Part | None = None  # all training rows without targets, where only some may show theirs


def prepare(
    dataset: Dataset,
    *,
    seed: int,
    input_size: int | Sequence[int] | None = None,
    wanted_by: str = "the network",
    scaling: str = "standard",
    test: float = 0.2,
    valid: float = 0.15,
    split: str = "auto",
    fold: tuple[int, int] | None = None,
    labels: int | None = None,
    imbalance: float | None = None,
    context: int | None = None,
    dtype: torch.dtype = torch.float32,
) -> Prepared:
    """Check, split, fit on the training part and encode; data with errors is refused with all of them.

    `test` is a share of all rows (an official test part stays as it is), `valid` of those left. Images are
    resized to `input_size`, which `wanted_by` asks for; text is cut into windows of `context`. See
    `splits.split` for `split` and `fold`. `labels` keeps the targets of so many training rows, as many of
    each class as can be; all rows are then in `unlabelled`. `imbalance` cuts the training part to a long tail
    (`long_tailed.long_tail_profile`); the other parts stay as they are.
    """
    if imbalance is not None and dataset.task != "classification":
        raise UsageError(f"imbalance={imbalance:g} needs classes, and this data's task is {dataset.task}")
    if dataset.modality == "text":
        return _text(dataset, valid, context, wanted_by)
    if dataset.modality == "environment":
        return _environment(dataset, dtype)
    if scaling not in SCALINGS:
        raise UsageError(
            f"there is no scaling {scaling!r}{did_you_mean(scaling, SCALINGS)} ({listed(SCALINGS)})"
        )
    findings = refuse(dataset)
    parts = draw_split(dataset, seed=seed, test=test, valid=valid, way=split, fold=fold)
    coder = TargetCoder.fit(dataset, parts.train)
    parts = parts if imbalance is None else _long_tailed(dataset, coder, parts, imbalance, seed)
    notes = [*dataset.notes, *parts.notes]
    encoder = _fitted(dataset, _fitting(dataset, parts.train, seed), scaling, input_size, wanted_by)
    notes += _encoder_notes(dataset, encoder, wanted_by, len(parts.train))
    make = _Maker(dataset, encoder, coder, dtype)
    shown = parts.train if labels is None else balanced_rows(dataset, parts.train, labels, seed)
    unlabelled = None if labels is None else replace(make.part(parts.train), y=None)
    notes += _label_notes(len(shown), parts) if labels is not None else []
    train = make.part(shown)
    about = coder.task, len(coder.classes), coder.classes, coder.counts(train.y)
    shades = encoder.shades if isinstance(encoder, ImageEncoder) else 0
    spec = Spec(dataset.modality, encoder.shape, *about, scaling, shades=shades)
    for name, rows in (("validation", parts.valid), ("test", parts.test)):
        if len(rows) and not (name == "test" and len(dataset.test)):
            findings += check_split(dataset, parts.train, rows, name)
    valid_part, test_part = (make.part(rows) if len(rows) else None for rows in (parts.valid, parts.test))
    preparation = Preparation(spec, encoder, coder, dtype, tuple(dataset.missing))
    return Prepared(spec, train, valid_part, test_part, preparation, notes, findings, unlabelled)


def _text(dataset: Dataset, valid: float, context: int | None, wanted_by: str) -> Prepared:
    """Text is split by place: training, validation, test."""
    if context is None:
        raise UsageError(f"{wanted_by} does not read text; gpt and lstm do")
    codes, first = np.asarray(dataset.inputs), int(np.min(dataset.test))
    cut = first - round(valid * first)
    encoder = TextEncoder.fit(codes[:cut], context)

    def part(start: int, end: int) -> Part:
        x, y, places = encoder.windows(codes[start:end])
        return Part(x, y, start + places)

    spec = Spec("text", encoder.shape, "language", len(encoder.vocabulary), tuple(encoder.vocabulary))
    preparation = Preparation(spec, encoder, TargetCoder("none", (), ()))
    unknown = int((encoder.ids(codes[cut:]) == 0).sum())
    notes = [f"{unknown:,} characters outside the training part do not occur in it"] if unknown else []
    valid_part = part(cut, first) if cut < first else None
    return Prepared(
        spec, part(0, cut), valid_part, part(first, len(codes)), preparation, [*dataset.notes, *notes]
    )


def _environment(dataset: Dataset, dtype: torch.dtype) -> Prepared:
    """No rows to train on: they are lived through. Validation and test are episodes, by their seeds."""
    name = dataset.name.partition(":")[2]
    environment = make(name)
    encoder = ObservationEncoder.of(name, environment)
    environment.close()
    seeds, first = np.asarray(dataset.inputs), int(np.min(dataset.test))
    cuts = np.split(np.arange(len(seeds)), [0, first])
    train, valid, test = (Part(torch.from_numpy(seeds[rows]), None, rows) for rows in cuts)
    classes = names_of(encoder.actions)
    spec = Spec("environment", encoder.shape, "control", encoder.actions, tuple(classes), environment=name)
    preparation = Preparation(spec, encoder, TargetCoder("none", (), ()), dtype)
    return Prepared(spec, train, valid, test, preparation, list(dataset.notes))


def _long_tailed(dataset: Dataset, coder: TargetCoder, parts: Split, imbalance: float, seed: int) -> Split:
    """The same parts with fewer training rows, most of the first class and least of the last."""
    labels = coder.encode(_rows(dataset.target, parts.train), torch.float32).numpy()
    kept = parts.train[long_tail_rows(labels, imbalance, seed)]
    told = (
        f"imbalance={imbalance:g}: {len(kept):,} of {len(labels):,} training rows are kept, most of the "
        "first class and least of the last; validation and test have all theirs"
    )
    return replace(parts, train=kept, notes=[*parts.notes, told])


def _label_notes(shown: int, parts: Split) -> list[str]:
    """What the reader of a report must know where only some training rows show their targets."""
    more = [f"validation uses {len(parts.valid):,} further targets; --valid 0 does without"]
    return [
        f"{shown:,} of {len(parts.train):,} training rows show their targets",
        *more * (len(parts.valid) > 0),
    ]


def _fitting(dataset: Dataset, rows: np.ndarray[Any, Any], seed: int) -> np.ndarray[Any, Any]:
    """The rows that an encoder is fitted on: all, or a sample of images that stay in their files."""
    return drawn(rows, FITTED, seed, "fit") if isinstance(dataset.inputs, Files) else rows


def drawn(rows: np.ndarray[Any, Any], count: int, *key: object) -> np.ndarray[Any, Any]:
    """Some of the rows in order, by a key; all where there are no more."""
    chosen = np.random.default_rng(key_seed(*key)).permutation(len(rows))[:count]
    return rows[np.sort(chosen)]


def held(prepared: Prepared, seed: int) -> Prepared:
    """For methods that learn from all rows at once: training images that stay in files are read.

    Where they are too many for memory, it is a sample of them by the seed, and a note says so.
    """
    notes = [*prepared.notes]

    def read(part: Part | None) -> Part | None:
        if part is None or not isinstance(part.x, Encoded):
            return part
        count = max(1, HELD // part.x.nbytes_of(1))
        rows = drawn(np.arange(len(part)), count, seed, "held")
        if len(rows) < len(part):
            notes.append(
                f"the method learns from {count:,} of {len(part):,} training images: no more fit into memory"
            )
        return part.at(rows)

    train, unlabelled = read(prepared.train), read(prepared.unlabelled)
    assert train is not None
    return replace(prepared, train=train, unlabelled=unlabelled, notes=notes)


def _fitted(
    dataset: Dataset, rows: np.ndarray[Any, Any], scaling: str, input_size: Any, wanted_by: str
) -> TableEncoder | ImageEncoder:
    if dataset.modality == "image":
        return ImageEncoder.fit(dataset, rows, _pair(input_size), scaling)
    if input_size is not None:
        raise UsageError(
            f"{wanted_by} wants images of {_by(_pair(input_size))}, but {dataset.name} is a table"
        )
    return TableEncoder.fit(dataset, rows, scaling)


def _encoder_notes(
    dataset: Dataset, encoder: TableEncoder | ImageEncoder, wanted_by: str, rows: int
) -> list[str]:
    """What the reader of a report must know of the inputs' way into the model."""
    if isinstance(encoder, ImageEncoder):
        sizes = f"from {_by(encoder.raw)} to {_by(encoder.size)}"
        notes = [f"images resized {sizes}, as {wanted_by} wants"] if encoder.size != encoder.raw else []
        if isinstance(dataset.inputs, Files) and encoder.scaling == "standard" and rows > FITTED:
            notes.append(f"brightness is scaled by {FITTED:,} of {rows:,} training images")
        return notes
    used = {column.name for column in encoder.columns}
    gone = [str(name) for name in pd.DataFrame(dataset.inputs) if name not in used]
    return [f"columns left out, as they are empty, constant or name the rows: {listed(gone)}"] if gone else []


def refuse(dataset: Dataset) -> list[Finding]:
    """The findings on a dataset that can be learned from; a DataError with all errors of one that cannot."""
    findings = check(dataset)
    errors = [finding.message for finding in findings if finding.severity == "error"]
    if errors:
        more = [f"and {len(errors) - 10} more errors"] * (len(errors) > 10)
        raise DataError("\n".join([*errors[:10], *more]))
    return findings


class _Maker:
    """Parts of one dataset."""

    def __init__(self, dataset: Dataset, encoder: Any, coder: TargetCoder, dtype: torch.dtype):
        self.dataset, self.encoder, self.coder, self.dtype = dataset, encoder, coder, dtype
        self.table = encoder.encode(dataset.inputs, dtype) if dataset.modality == "table" else None

    def part(self, rows: np.ndarray[Any, Any]) -> Part:
        target, weight = self.dataset.target, self.dataset.weight
        if self.table is None:
            x = self.encoder.encode(taken(self.dataset.inputs, rows), self.dtype)
        else:
            x = self.table[rows]
        y = None
        if target is not None and self.coder.task != "none":
            y = self.coder.encode(_rows(target, rows), self.dtype)
        w = None if weight is None else torch.from_numpy(weight[rows]).to(self.dtype)
        return Part(x, y, rows, w)


def _rows(values: Any, rows: np.ndarray[Any, Any]) -> Any:
    return values.iloc[rows] if hasattr(values, "iloc") else values[rows]


def _pair(size: int | Sequence[int] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    pair = (size, size) if isinstance(size, int) else tuple(size)
    if len(pair) != 2 or not all(isinstance(s, int) and s > 0 for s in pair):
        raise UsageError(f"input_size={size!r} must be a height and a width in pixels, such as (28, 28)")
    return pair[0], pair[1]


def _by(size: tuple[int, int] | None) -> str:
    return "x".join(map(str, size or ()))
