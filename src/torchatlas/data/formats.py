"""What a file is by its first bytes, and the word under which it is read."""

from pathlib import Path

from .reading import read_bytes

_TABLE = "a table must be text or Parquet: save it as CSV and say csv:"
_IMAGE = "for images say folder: with the folder that holds one sub-folder per class"
STARTS = (  # first bytes, what the file is, the cure
    (b"\x89PNG", "a PNG image", _IMAGE),
    (b"\xff\xd8\xff", "a JPEG image", _IMAGE),
    (b"GIF8", "a GIF image", _IMAGE),
    (b"RIFF", "a WebP image", _IMAGE),
    (b"BM", "a BMP image", _IMAGE),
    (b"II*\0", "a TIFF image", "save the images as PNG, one sub-folder per class, and say folder:"),
    (b"PAR1", "a Parquet file", "say parquet: before its path"),
    (b"\x93NUMPY", "a single NumPy array (npy)", "save it with its targets by np.savez(PATH, x=x, y=y)"),
    (b"\x89HDF", "an HDF5 file", "save its arrays by np.savez(PATH, x=x, y=y)"),
    (b"%PDF", "a PDF file", _TABLE),
    (b"\xd0\xcf\x11\xe0", "an old Excel file", _TABLE),
    (b"SQLite", "an SQLite database", _TABLE),
    (b"\x1f\x8b", "a gzip file", "unpack it first (only a table in text may stay packed)"),
    (b"BZh", "a bzip2 file", "unpack it first"),
    (b"\xfd7zXZ", "an xz file", "unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it first"),
    (b"\x80\x04\x95", "a Python pickle", "pickles are not read: save the data as CSV, Parquet or npz"),
    (b"\x80\x05\x95", "a Python pickle", "pickles are not read: save the data as CSV, Parquet or npz"),
)


def looks_like(data: bytes) -> str:
    """What these bytes are and how to have them read, such as "a PNG image: …"; "" where that is not seen."""
    if data[:4] == b"PK\x03\x04":
        return _zipped(data)
    for start, what, cure in STARTS:
        if data.startswith(start) and (start != b"BM" or 0 in data[:14]):
            return f"{what}: {cure}"
    return "text: for a table say csv: before its path" if _is_text(data[:4096]) else ""


def refuse_format(path: Path, data: bytes, wanted: str, otherwise: str = "") -> str:
    """The message that a file is `wanted`, such as "no text file"; `otherwise` where nothing more is seen."""
    found = looks_like(data)
    end = f"it looks like {found}" if found else otherwise
    return f"{path} is {wanted}" + f"; {end}" * bool(end)


def refuse_file_for_folder(path: Path) -> str:
    """The message that a file was given where a folder of images belongs."""
    found = looks_like(read_bytes(path))
    here = f"; it looks like {found}" if found and not found.endswith(_IMAGE) else ""
    return f"{path} is a file, not a folder; give the folder that holds one sub-folder per class{here}"


def _zipped(data: bytes) -> str:
    if b".npy" in data[:200]:
        return "an npz file: say npz: before its path"
    if b"xl/" in data or b"[Content_Types]" in data[:200]:
        return f"an Excel file: {_TABLE}"
    return "a zip archive: unpack it first"


def _is_text(data: bytes) -> bool:
    if not data.strip() or b"\0" in data:
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(data) - 4  # a letter cut in two
    return True
