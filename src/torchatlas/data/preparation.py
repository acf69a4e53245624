"""Preparing data: split, fitted on the training part, and ready for a learner; and the way back."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..engine.errors import DataError, UsageError
from .checks import check, check_split
from .preprocessing import ImageEncoder, TableEncoder
from .reading import Reading, did_you_mean, listed
from .spec import Dataset, Finding, Part, Spec
from .splits import split as draw_split
from .tables import read_table
from .targets import TargetCoder

FORMAT = 1
SCALINGS = ("standard", "unit", "symmetric")


@dataclass(frozen=True)
class Preparation:
    """What was learned from the training part: raw inputs to model inputs, model outputs to words.

    It is saved with the run, without pickle: plain values as JSON, scikit-learn's transformers by skops.
    """

    spec: Spec
    encoder: TableEncoder | ImageEncoder
    coder: TargetCoder
    dtype: torch.dtype = torch.float32

    def encode(self, inputs: Any) -> Tensor:
        """Raw inputs (a DataFrame; images as an array) -> model inputs (n, *spec.shape)."""
        return self.encoder.encode(inputs, self.dtype)

    def target(self, values: Any) -> Tensor:
        """Raw targets -> what the loss takes: class numbers, standardised values or 0/1 labels."""
        return self.coder.encode(values, self.dtype)

    def decode(self, predictions: Any) -> pd.DataFrame:
        """Model outputs (n, outputs) -> a table: class and probabilities, or values in their unit."""
        return self.coder.decode(predictions)

    def restore(self, x: Tensor) -> Any:
        """Model inputs or samples -> pictures of bytes (n, height, width, channels), or a table."""
        return self.encoder.restore(x)

    def read(self, source: Any) -> Dataset:
        """New data with the columns or image size that this was fitted on, and targets if it has them."""
        from .sources import open_dataset

        if isinstance(self.encoder, ImageEncoder):
            return self._read_images(source, open_dataset)
        raw, line, name, notes = _raw_frame(source)
        if raw is None:
            dataset: Dataset = open_dataset(source)
            return dataset
        frame = raw.set_axis([str(c).strip() for c in raw.columns], axis=1).reset_index(drop=True)
        target = frame[list(self.coder.names)] if all(n in frame for n in self.coder.names) else None
        target = None if self.coder.task == "none" else target
        wanted = {column.name for column in self.encoder.columns}
        extra = [c for c in frame if c not in wanted and c not in self.coder.names]
        if extra:
            notes.append(f"columns that the model does not use: {listed(extra)}")
        inputs = frame.drop(columns=[n for n in self.coder.names if n in frame])
        task = "none" if target is None else self.coder.task
        return Dataset(name, "table", inputs, target, task, notes=notes, line=line)

    def save(self, folder: Path | str) -> None:
        """Write the preparation into a folder: preparation.json, and transformers.skops for tables."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        state = {
            "format": FORMAT,
            "dtype": str(self.dtype).removeprefix("torch."),
            "spec": asdict(self.spec),
            "target": self.coder.to_json(),
            "inputs": self.encoder.to_json(),
        }
        if isinstance(self.encoder, TableEncoder):
            import skops.io

            (folder / "transformers.skops").write_bytes(skops.io.dumps(self.encoder.transformer))
        text = json.dumps(state, indent=1, ensure_ascii=False)
        (folder / "preparation.json").write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read what `save` wrote; nothing in it can run code."""
        folder = Path(folder)
        path = folder / "preparation.json"
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            if state["format"] > FORMAT:
                raise DataError(f"{path} was written by a newer torchatlas: update torchatlas to read it")
            spec = Spec(**_tuples(state["spec"]))
            coder = TargetCoder.from_json(state["target"])
            return cls(spec, _encoder(spec, state["inputs"], folder), coder, getattr(torch, state["dtype"]))
        except FileNotFoundError as error:
            raise DataError(f"there is no {error.filename}: the run is not whole") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{path} is damaged ({type(error).__name__}: {error}); train again") from None

    def _read_images(self, source: Any, open_dataset: Any) -> Dataset:
        assert isinstance(self.encoder, ImageEncoder)
        size, name = self.encoder.raw, str(source)
        if not name.startswith("folder:") and not (isinstance(source, str | Path) and Path(source).is_dir()):
            dataset: Dataset = open_dataset(source)
            return dataset
        folder = Path(name.removeprefix("folder:"))
        has = any((folder / c).is_dir() for c in self.coder.classes)
        dataset = open_dataset(source, size=size, task=None if has else "none")
        if not has:
            return dataset
        assert dataset.target is not None
        names = np.asarray(dataset.classes, dtype=object)[np.asarray(dataset.target)]
        return replace(dataset, target=names, classes=())


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
    dtype: torch.dtype = torch.float32,
) -> Prepared:
    """Check, split, fit on the training part and encode; data with errors is refused with all of them.

    `test` is a share of all rows (an official test part stays as it is), `valid` of those left. Images are
    resized to `input_size`, which `wanted_by` asks for. See `splits.split` for `split` and `fold`.
    """
    if scaling not in SCALINGS:
        raise UsageError(
            f"there is no scaling {scaling!r}{did_you_mean(scaling, SCALINGS)} ({listed(SCALINGS)})"
        )
    findings = refuse(dataset)
    parts = draw_split(dataset, seed=seed, test=test, valid=valid, way=split, fold=fold)
    notes = [*dataset.notes, *parts.notes]
    encoder: TableEncoder | ImageEncoder
    if dataset.modality == "image":
        size = _pair(input_size)
        encoder = ImageEncoder.fit(dataset, parts.train, size, scaling)
        if encoder.size != encoder.raw:
            notes.append(
                f"images resized from {_by(encoder.raw)} to {_by(encoder.size)}, as {wanted_by} wants"
            )
    elif input_size is not None:
        raise UsageError(
            f"{wanted_by} wants images of {_by(_pair(input_size))}, but {dataset.name} is a table"
        )
    else:
        encoder = TableEncoder.fit(dataset, parts.train, scaling)
        used = {column.name for column in encoder.columns}
        gone = [str(c) for c in dataset.inputs if c not in used]
        if gone:
            notes.append(f"columns left out, as they are empty, constant or name the rows: {listed(gone)}")
    coder = TargetCoder.fit(dataset, parts.train)
    make = _Maker(dataset, encoder, coder, dtype)
    train = make.part(parts.train)
    spec = Spec(
        dataset.modality,
        encoder.shape,
        coder.task,
        len(coder.classes),
        coder.classes,
        coder.counts(train.y),
        scaling,
    )
    for name, rows in (("validation", parts.valid), ("test", parts.test)):
        if len(rows) and not (name == "test" and len(dataset.test)):
            findings += check_split(dataset, parts.train, rows, name)
    valid_part, test_part = (make.part(rows) if len(rows) else None for rows in (parts.valid, parts.test))
    preparation = Preparation(spec, encoder, coder, dtype)
    return Prepared(spec, train, valid_part, test_part, preparation, notes, findings)


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
            x = self.encoder.encode(self.dataset.inputs[rows], self.dtype)
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


def _tuples(state: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in state.items()}


def _encoder(spec: Spec, state: dict[str, Any], folder: Path) -> TableEncoder | ImageEncoder:
    if spec.modality == "image":
        return ImageEncoder.from_json(state)
    import skops.io

    data = (folder / "transformers.skops").read_bytes()
    try:
        transformer = skops.io.loads(data, trusted=["numpy.dtype"])
    except Exception as error:  # skops raises many kinds on damaged and on foreign files
        path = folder / "transformers.skops"
        raise DataError(f"{path} is damaged or holds foreign types ({error}); train again") from None
    return TableEncoder.from_json(state, transformer)


def _raw_frame(source: Any) -> tuple[pd.DataFrame | None, int | None, str, list[str]]:
    """A frame or a table file as it is, where the source is one."""
    if isinstance(source, pd.DataFrame):
        return source, None, "table", []
    words = str(source) if isinstance(source, str | Path) else ""
    prefix, _, rest = words.partition(":")
    path = Path(rest if prefix in ("csv", "parquet") else words).expanduser()
    if prefix in ("csv", "parquet") or path.name.endswith((".csv", ".tsv", ".csv.gz", ".parquet", ".pq")):
        frame, notes, line = read_table(path, Reading())
        return frame, line, path.name, notes
    return None, None, "", []
