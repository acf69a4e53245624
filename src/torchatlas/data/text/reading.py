"""Opening text files: the whole file as one stream of characters."""

import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ...engine.errors import DataError
from ..reading import Reading, read_bytes
from ..spec import Dataset

TEST_SHARE = 0.1
SHORTEST = 100


def open_text(path: Path, how: Reading | None = None) -> Dataset:
    """A text file (.txt, packed as .gz too): its last tenth is the test part.

    The encoding is UTF-8 unless `encoding` says another. Raises DataError for what is no text.
    """
    how = how or Reading()
    raw = read_bytes(path)
    if path.suffix == ".gz":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"cannot unpack {path}: {error}; get the file again") from None
    return text_dataset(_decoded(raw, path, how.encoding or "utf-8-sig"), path.name)


def text_dataset(text: str, name: str) -> Dataset:
    """A text as data for a language model; its last tenth is the test part."""
    if len(text) < SHORTEST:
        raise DataError(f"{name} holds {len(text)} characters; a language model needs {SHORTEST} or more")
    codes = codes_of(text.replace("\r\n", "\n"))
    first = len(codes) - max(1, round(TEST_SHARE * len(codes)))
    return Dataset(name, "text", codes, None, "language", test=np.arange(first, len(codes)))


def codes_of(text: str) -> np.ndarray[Any, Any]:
    """A text as the numbers of its characters, (n,)."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def text_of(codes: np.ndarray[Any, Any]) -> str:
    """The text of character numbers."""
    return np.ascontiguousarray(codes, "<u4").tobytes().decode("utf-32-le", "surrogatepass")


def _decoded(raw: bytes, path: Path, encoding: str) -> str:
    try:
        text = raw.decode(encoding)
    except LookupError:
        raise DataError(f"there is no encoding {encoding!r}; utf-8, latin-1 and utf-16 are common") from None
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}: byte {error.start:,} is not {encoding.removesuffix('-sig')}; "
            "say its encoding (--encoding latin-1, for one), or it is no text"
        ) from None
    if "\0" in text:
        raise DataError(f"{path} holds zero bytes: it is no text, or say its encoding (--encoding utf-16)")
    return text
