"""Images that stay in their files: read, decoded and encoded row by row, as rows are asked for."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, Self, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from ..engine.errors import DataError
from .ahead import Ahead
from .pixels import Header, read_pixels

MOST_BYTES = 8 << 30  # of images in memory at once
CHUNK = 256  # rows that a process decodes at a time
MANY = 2048  # rows that are worth starting processes for
Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Files:
    """Images (n, height, width, channels) of bytes, by their files; an array as far as rows are taken.

    `images[rows]` decodes these rows, and `images.at(rows)` is those rows, still in their files.
    Raises DataError that names the file where one cannot be decoded.
    """

    folder: str
    names: Array  # (files,) bytes, below the folder: one block of memory, which processes share
    lengths: Array  # (files,) bytes of each file
    deep: Array  # (files,) whether it has 16 bits per pixel
    size: tuple[int, int]
    channels: int
    rows: Array  # (n,) which of the files

    dtype = np.dtype(np.uint8)
    ndim = 4

    @classmethod
    def of(cls, folder: Path, headers: list[Header], size: tuple[int, int], grey: bool) -> Self:
        """The files that were looked at, to be read at one size."""
        top = folder if folder.is_dir() else folder.parent
        names = np.array([os.fsencode(os.path.relpath(h.path, top)) for h in headers])
        lengths = np.array([os.path.getsize(h.path) for h in headers])
        deep = np.array([h.deep for h in headers])
        return cls(str(top), names, lengths, deep, size, 1 if grey else 3, np.arange(len(headers)))

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(n, height, width, channels)."""
        return (len(self.rows), *self.size, self.channels)

    def __len__(self) -> int:
        return len(self.rows)

    def at(self, rows: Any) -> "Files":
        """Some of the rows, without reading them."""
        return replace(self, rows=self.rows[rows])

    def __getitem__(self, rows: Any) -> Array:
        numbers = self.rows[rows]
        if np.ndim(numbers) == 0:
            return self._decoded(int(numbers))
        refuse_many(len(numbers), int(np.prod(self.shape[1:])), self.folder)
        out = np.empty((len(numbers), *self.shape[1:]), np.uint8)
        for place, number in enumerate(numbers.tolist()):
            out[place] = self._decoded(number)
        return out

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self[:], dtype)

    def _decoded(self, number: int) -> Array:
        found = self._read(number)
        if isinstance(found, str):
            raise DataError(
                f"{found}; delete or replace the file and begin the run anew, or pass skip_broken=True, "
                "which looks at every file first"
            )
        return found

    def _read(self, number: int) -> Array | str:
        path = os.path.join(self.folder, os.fsdecode(self.names[number]))
        found = read_pixels(path, self.size, self.channels == 1, bool(self.deep[number]))
        return found if isinstance(found, str) else found.pixels

    def broken(self) -> dict[int, str]:
        """What is wrong with each row that cannot be decoded; every file is read once."""
        tasks = [range(start, min(start + CHUNK, len(self))) for start in range(0, len(self), CHUNK)]
        found: dict[int, str] = {}
        with Ahead(self._wrong, tasks, nbytes=CHUNK) as results:
            for some in results:
                found |= some
        return found

    def _wrong(self, rows: range) -> dict[int, str]:
        found = {row: self._read(int(self.rows[row])) for row in rows}
        return {row: why for row, why in found.items() if isinstance(why, str)}

    def told(self) -> bytes:
        """What a fingerprint is made of: names and sizes of the files, and the size they are read at.

        Neither the pixels, which would take a whole epoch to read, nor the times of the files, which change
        when a folder is copied.
        """
        names, lengths = self.names[self.rows], self.lengths[self.rows].astype(np.int64)
        return f"{self.shape} {names.dtype}".encode() + names.tobytes() + lengths.tobytes()


class Encoder(Protocol):
    """Raw images to model inputs."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one encoded image."""
        ...

    def encode(self, inputs: Any, dtype: torch.dtype = ...) -> Tensor:
        """Raw images -> model inputs."""
        ...


@dataclass(frozen=True, eq=False)
class Encoded:
    """Encoded images (n, channels, height, width) of files; a tensor as far as rows are taken.

    `x[rows]` decodes and encodes these rows; `x.split(size)` goes through all of them, decoded ahead. What
    else a tensor can do is done on all rows at once, where they fit into memory.
    """

    images: Files
    encoder: Encoder
    dtype: torch.dtype = torch.float32
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def shape(self) -> torch.Size:
        """(n, channels, height, width)."""
        return torch.Size((len(self.images), *self.encoder.shape))

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: Any) -> "Encoded":
        """The same images, whose rows will lie on another device."""
        return replace(self, device=torch.device(device))

    def __getitem__(self, rows: Any) -> Tensor:
        if isinstance(rows, Tensor):
            rows = rows.cpu().numpy()
        if isinstance(rows, int | np.integer):
            return self[[int(rows)]][0]
        some = self.images.at(rows)
        if len(some) > MANY:
            return self._whole(some)
        return self.encoder.encode(some[:], self.dtype).to(self.device)

    def index_select(self, dim: int, rows: Tensor) -> Tensor:
        """The rows, decoded; `dim` is 0."""
        assert dim == 0
        return self[rows]

    def split(self, size: int) -> Iterator[Tensor]:
        """All rows in order, `size` at a time, decoded ahead."""
        if len(self) <= size:
            yield self[:]
            return
        with Ahead(_Rows(self.to("cpu")), _cuts(len(self), size), self.nbytes_of(size)) as results:
            for some in results:
                yield some.to(self.device)

    def nbytes_of(self, rows: int) -> int:
        """The memory that so many rows take."""
        return rows * self.dtype.itemsize * int(np.prod(self.encoder.shape))

    def _whole(self, images: Files) -> Tensor:
        """All rows of some images, encoded by several processes."""
        refuse_many(len(images), self.nbytes_of(1), images.folder)
        out = torch.empty((len(images), *self.encoder.shape), dtype=self.dtype)
        cuts = _cuts(len(images), CHUNK)
        rows = _Rows(replace(self, images=images, device=torch.device("cpu")))
        with Ahead(rows, cuts, self.nbytes_of(CHUNK)) as results:
            for cut, some in zip(cuts, results, strict=True):
                out[cut] = some
        return out.to(self.device)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(Tensor, name):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return getattr(self[:], name)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        args, kwargs = tree_map_only(cls, lambda x: x[:], (args, kwargs or {}))
        return func(*args, **kwargs)


class _Rows:
    """What a process does of a tensor of files."""

    def __init__(self, x: Encoded):
        self.x = x

    def __call__(self, cut: slice) -> Tensor:
        return self.x.encoder.encode(self.x.images[cut], self.x.dtype)


def _cuts(length: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]


def taken(inputs: Any, rows: Any) -> Any:
    """Some rows of raw images; those of files stay in their files."""
    return inputs.at(rows) if isinstance(inputs, Files) else inputs[rows]


def encoded(images: Files, encoder: Encoder, dtype: torch.dtype) -> Tensor:
    """Images of files as a part's inputs: to all that takes rows, a tensor."""
    return cast(Tensor, Encoded(images, encoder, dtype))


def refuse_many(rows: int, each: int, folder: str) -> None:
    """Raise a DataError where so many images of `each` bytes do not fit into memory at once."""
    if rows * each > MOST_BYTES:
        raise DataError(
            f"{rows:,} images of {folder} would take {rows * each / 2**30:.0f} GiB of memory, and what was "
            "asked needs them at once: read them smaller with size=(height, width), or give fewer"
        )
