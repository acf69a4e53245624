"""Where the files of a named set lie, and how they get there."""

import gzip
import hashlib
import lzma
import os
import tempfile
import urllib.request
import zlib
from collections.abc import Sequence
from pathlib import Path

from ...engine.errors import DataError
from ..reading import listed

PACKED = ("", ".gz", ".xz")


def folders(name: str) -> list[Path]:
    """Where a set is looked for: $TORCHATLAS_DATA/NAME first, then the cache folder."""
    own = os.environ.get("TORCHATLAS_DATA")
    return [*([Path(own).expanduser() / name] if own else []), cache() / name]


def cache() -> Path:
    """The folder for downloaded sets: $XDG_CACHE_HOME/torchatlas or ~/.cache/torchatlas."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "torchatlas"


def find(folder: Path, name: str) -> Path | None:
    """A file, plain or packed (.gz, .xz)."""
    return next((p for end in PACKED if (p := folder / (name + end)).is_file()), None)


def unpacked(path: Path) -> bytes:
    """A file's bytes, unpacked; a damaged file is a DataError that names it."""
    unpack = {".gz": gzip.decompress, ".xz": lzma.decompress}.get(path.suffix, bytes)
    try:
        return unpack(path.read_bytes())
    except (EOFError, lzma.LZMAError, zlib.error, OSError) as error:
        raise DataError(f"cannot read {path}: {error}; delete it, or get the file again") from None


def download(url: str, md5: str) -> bytes:
    """The bytes at an address, checked against their published MD5."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        data = bytes(answer.read())
    got = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if got != md5:
        raise OSError(f"{url} gave {len(data):,} bytes with MD5 {got}, but {md5} was published")
    return data


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def not_found(title: str, name: str, files: Sequence[str], home: str, reason: object) -> DataError:
    """What to say when a set is neither on this machine nor to be downloaded."""
    own = "" if os.environ.get("TORCHATLAS_DATA") else " (TORCHATLAS_DATA is not set)"
    return DataError(
        f"{title} is not in {listed(map(str, folders(name)))}{own} and could not be downloaded ({reason}); "
        f"get {listed(files)} from {home} and put them into $TORCHATLAS_DATA/{name}"
    )
