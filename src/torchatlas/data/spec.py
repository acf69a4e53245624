"""What passes between a data source, its preparation and a learner."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

Task = Literal["classification", "regression", "multilabel", "language", "control", "none"]
Modality = Literal["table", "image", "text", "environment"]
BYTE = 256  # values of a pixel where nothing says another number
Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """What a check saw; the message names the file or the row and column, and the cure."""

    severity: Severity
    message: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.message}"


@dataclass(frozen=True)
class Spec:
    """What a network needs to know of prepared data.

    `classes` holds the class names (classification), label names (multilabel) or target names (regression);
    `outputs` is their number; regression with several outputs is multi-output. `shape` is one input, without
    the batch: (features,) for a table, (channels, height, width) for images, (context,) for windows of text,
    an observation's for an environment. Language: `classes` are the vocabulary. Control: the actions.
    """

    modality: Modality
    shape: tuple[int, ...]
    task: Task
    outputs: int
    classes: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()  # training samples per class
    scaling: str = "standard"
    environment: str = ""  # Gymnasium's name of the environment
    shades: int = 0  # images: how many values a pixel can have; 17 for digits, 256 for bytes and floats


@dataclass
class Dataset:
    """Raw data, as it was read: nothing is fitted, scaled or split.

    `inputs`: a DataFrame (tables); an array (n, height, width, channels) (images: uint8, or floats up to
    `maximum`; too many for memory, they are `files.Files`, which answer as an array where rows are taken),
    (n,) character numbers (text) or (n,) seeds of episodes (environments). `target`: (n,) or (n, k) values as
    read (names, numbers); None where there is no target. `test`: row numbers of an official
    test part, empty where there is none.
    """

    name: str
    modality: Modality
    inputs: pd.DataFrame | np.ndarray[Any, Any]
    target: pd.DataFrame | pd.Series | np.ndarray[Any, Any] | None
    task: Task
    classes: tuple[str, ...] = ()  # names of integer labels 0..k-1, where the source knows them
    test: Sequence[int] | np.ndarray[Any, Any] = ()
    group: np.ndarray[Any, Any] | None = None  # rows of one group stay in one part of a split
    time: np.ndarray[Any, Any] | None = None  # a split by time puts the latest rows in the test part
    files: Sequence[str] = ()  # one name per row where rows are files
    notes: list[str] = field(default_factory=list)  # sentences for the report: "a subset: 20,000 of 50,000"
    weight: np.ndarray[Any, Any] | None = None  # (n,) how much each row counts
    maximum: float = 255.0  # the brightest value that a pixel can have
    formats: Mapping[str, str] = field(default_factory=dict)  # how the dates of a text column are written
    missing: Sequence[str] = ()  # words that mean "no value" in the cells of a table
    findings: list[Finding] = field(default_factory=list)  # what the reader saw: broken files and the like
    line: int | None = None  # the line of the file that holds row 0, where rows are lines

    def __len__(self) -> int:
        return len(self.inputs)

    def place(self, row: int) -> str:
        """Where a row is, in words: its file, or its number (from 0) and the line of the file."""
        if len(self.files):
            return str(self.files[row])
        return f"row {row}" if self.line is None else f"row {row} (line {row + self.line})"


@dataclass
class Part:
    """One part of prepared data: tensors on one device, and the raw rows they came from.

    Images that are too many for memory stay in their files: `x` is then a `files.Encoded`, which answers as a
    tensor where rows are taken.
    """

    x: Tensor  # (n, *spec.shape): floats; text: numbers of characters; environments: seeds of episodes, (n,)
    y: Tensor | None  # (n,) long, (n, k) float (regression, standardised; multilabel, 0 or 1); text: as x
    rows: np.ndarray[Any, Any]
    weight: Tensor | None = None  # (n,)

    def __len__(self) -> int:
        return len(self.x)

    def tensors(self) -> tuple[Tensor, ...]:
        """Inputs, then targets and weights where there are any."""
        return tuple(t for t in (self.x, self.y, self.weight) if t is not None)

    def at(self, rows: np.ndarray[Any, Any]) -> "Part":
        """Some of its rows, by their numbers; images that stay in files are read."""
        numbers = torch.from_numpy(rows)
        y, weight = (None if t is None else t[numbers] for t in (self.y, self.weight))
        return Part(self.x[numbers], y, self.rows[rows], weight)

    def to(self, device: Any) -> "Part":
        """The same part on another device."""
        y = None if self.y is None else self.y.to(device)
        weight = None if self.weight is None else self.weight.to(device)
        return Part(self.x.to(device), y, self.rows, weight)
