"""What was learned from the training part: raw inputs to model inputs, and model outputs back to words."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..engine.errors import DataError
from .experience import ObservationEncoder
from .images import is_image, open_folder
from .preprocessing import ImageEncoder, TableEncoder
from .reading import Reading, listed
from .sources import open_dataset
from .spec import Dataset, Part, Spec
from .tables import read_table, without_words
from .targets import TargetCoder
from .text import TextEncoder

FORMAT = 1
SEAL = "sha256"  # where preparation.json holds the checksum of the rest of it
Encoder = TableEncoder | ImageEncoder | TextEncoder | ObservationEncoder


@dataclass(frozen=True)
class Preparation:
    """What was learned from the training part: raw inputs to model inputs, model outputs to words.

    It is saved with the run, without pickle: plain values as JSON, scikit-learn's transformers by skops.
    """

    spec: Spec
    encoder: Encoder
    coder: TargetCoder
    dtype: torch.dtype = torch.float32
    missing: tuple[str, ...] = ()  # words that mean "no value" in the cells of a table

    def encode(self, inputs: Any) -> Tensor:
        """Raw inputs (a DataFrame; images as an array) -> model inputs (n, *spec.shape)."""
        return self.encoder.encode(inputs, self.dtype)

    def target(self, values: Any) -> Tensor:
        """Raw targets -> what the loss takes: class numbers, standardised values or 0/1 labels."""
        return self.coder.encode(values, self.dtype)

    def part(self, dataset: Dataset) -> Part:
        """New data as a learner takes it; targets where the data has them."""
        if isinstance(self.encoder, TextEncoder):
            return Part(*self.encoder.windows(np.asarray(dataset.inputs)))
        if isinstance(self.encoder, ObservationEncoder):
            return Part(torch.from_numpy(np.asarray(dataset.inputs)), None, np.arange(len(dataset)))
        x = self.encode(dataset.inputs)
        y = None if dataset.target is None or self.coder.task == "none" else self.target(dataset.target)
        return Part(x, y, np.arange(len(x)))

    def decode(self, predictions: Any) -> pd.DataFrame:
        """Model outputs (n, outputs) -> a table: class and probabilities, or values in their unit."""
        return self.coder.decode(predictions)

    def restore(self, x: Tensor) -> Any:
        """Model inputs or samples -> pictures of bytes (n, height, width, channels), or a table."""
        return self.encoder.restore(x)

    def read(self, source: Any, separator: str | None = None, encoding: str | None = None) -> Dataset:
        """New data with the columns or image size that this was fitted on, and targets if it has them.

        `separator` and `encoding` are those of the training data's file, where they were said.
        """
        if isinstance(self.encoder, ImageEncoder):
            return self._read_images(source)
        if not isinstance(self.encoder, TableEncoder):
            return _open_any(source)
        raw, line, name, notes = _raw_frame(
            source, Reading(missing=self.missing, separator=separator, encoding=encoding)
        )
        if raw is None:
            return _open_any(source)
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
            "missing": list(self.missing),
            "dtype": str(self.dtype).removeprefix("torch."),
            "spec": asdict(self.spec),
            "target": self.coder.to_json(),
            "inputs": self.encoder.to_json(),
        }
        if isinstance(self.encoder, TableEncoder):
            import skops.io

            (folder / "transformers.skops").write_bytes(skops.io.dumps(self.encoder.transformer))
        state = json.loads(json.dumps(state))  # as it will be read: lists for tuples
        text = json.dumps({**state, SEAL: _sum_of(state)}, indent=1, ensure_ascii=False)
        fresh = folder / ".preparation.json.new"
        fresh.write_text(text + "\n", encoding="utf-8")
        fresh.replace(folder / "preparation.json")  # a kill leaves the old one or the new

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read what `save` wrote; nothing in it can run code."""
        folder = Path(folder)
        path = folder / "preparation.json"
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            if state.pop(SEAL, None) not in (None, _sum_of(state)):
                raise ValueError("its checksum is not the one written")
            if state["format"] > FORMAT:
                raise DataError(f"{path} was written by a newer torchatlas: update torchatlas to read it")
            spec = Spec(**_tuples(state["spec"]))
            coder = TargetCoder.from_json(state["target"])
            encoder = _encoder(spec, state["inputs"], folder)
            return cls(spec, encoder, coder, getattr(torch, state["dtype"]), tuple(state["missing"]))
        except FileNotFoundError as error:
            raise DataError(
                f"there is no {error.filename}: the run is not whole. "
                f"Write it anew: torchatlas train --resume {folder.parent}"
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            why = f"{type(error).__name__}: {error}"
            raise DataError(
                f"{path} is damaged ({why}). Write it anew: torchatlas train --resume {folder.parent}"
            ) from None

    def _read_images(self, source: Any) -> Dataset:
        assert isinstance(self.encoder, ImageEncoder)
        words = str(source) if isinstance(source, str | Path) else ""
        folder = Path(words.removeprefix("folder:")).expanduser()
        if not words.startswith("folder:") and not (words and (folder.is_dir() or is_image(folder))):
            return _open_any(source)
        has = any((folder / c).is_dir() for c in self.coder.classes)
        dataset = open_folder(folder, Reading(size=self.encoder.raw, task=None if has else "none"))
        if not has:
            return dataset
        assert dataset.target is not None
        names = np.asarray(dataset.classes, dtype=object)[np.asarray(dataset.target)]
        return replace(dataset, target=names, classes=())


def _sum_of(state: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()


def _tuples(state: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in state.items()}


def _encoder(spec: Spec, state: dict[str, Any], folder: Path) -> Encoder:
    match spec.modality:
        case "image":
            return ImageEncoder.from_json(state)
        case "text":
            return TextEncoder.from_json(state)
        case "environment":
            return ObservationEncoder.from_json(state)
    import skops.io

    data = (folder / "transformers.skops").read_bytes()
    try:
        transformer = skops.io.loads(data, trusted=["numpy.dtype"])
    except Exception as error:  # skops raises many kinds on damaged and on foreign files
        path = folder / "transformers.skops"
        raise DataError(
            f"{path} is damaged or holds foreign types ({' '.join(str(error).split())}). "
            f"Write it anew: torchatlas train --resume {folder.parent}"
        ) from None
    return TableEncoder.from_json(state, transformer)


def _open_any(source: Any) -> Dataset:
    """A dataset with its target, or without where it has none."""
    try:
        return open_dataset(source)
    except DataError:
        return open_dataset(source, task="none")


def _raw_frame(source: Any, how: Reading) -> tuple[pd.DataFrame | None, int | None, str, list[str]]:
    """A frame or a table file as it is, where the source is one."""
    if isinstance(source, pd.DataFrame):
        return without_words(source, how.missing), None, "table", []
    words = str(source) if isinstance(source, str | Path) else ""
    prefix, _, rest = words.partition(":")
    path = Path(rest if prefix in ("csv", "parquet") else words).expanduser()
    if prefix in ("csv", "parquet") or path.name.endswith((".csv", ".tsv", ".csv.gz", ".parquet", ".pq")):
        table = read_table(path, how, prefix if prefix in ("csv", "parquet") else "")
        return without_words(table.frame, how.missing), table.line, path.name, table.notes
    return None, None, "", []
